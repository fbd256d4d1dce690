#include "host/algorithm/sparsifier_call.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <retort/tensor.hpp>
#include <stdexcept>

#include "host/algorithm/component_failure.h"

namespace retort::host {

retort_sparsify_requirements SparsifierCall::requirements() const {
  retort_sparsify_requirements wanted{};
  wanted.struct_size = sizeof wanted;
  throw_component_failure(functions_.requirements(instance_, &wanted), id_);
  check_site_requirements(id_, wanted.signals, wanted.samples);
  return wanted;
}

std::int64_t SparsifierCall::sparsify(const SiteView& site, std::size_t module, const retort_tensor& mask,
                                      const retort_tensor& weight, CallMetrics& metrics) const {
  const std::string what = id_ + ", " + site.modules.at(module).name;
  const TensorView<std::uint8_t> kept(&mask, "mask", 2);
  const TensorView<float> values(&weight, "weight", 2);
  for (std::int64_t row = 0; row < kept.rows(); ++row) {
    std::fill_n(kept.row(row), kept.columns(), std::uint8_t{255});
    std::fill_n(values.row(row), values.columns(), std::numeric_limits<float>::quiet_NaN());
  }
  const AbiSite abi(site);
  const retort_metric_sink sink = sink_into(metrics);
  const retort_sparsify_output output{sizeof output, 0, &mask, &weight};
  throw_component_failure(functions_.sparsify(instance_, abi.get(), module, &output, &sink), what);
  std::int64_t zeros = 0;
  for (std::int64_t row = 0; row < kept.rows(); ++row)
    for (std::int64_t column = 0; column < kept.columns(); ++column) {
      const std::uint8_t stays = kept(row, column);
      const auto where = [&] { return what + ", row " + std::to_string(row) + ", column " + std::to_string(column); };
      if (stays > 1)
        throw std::runtime_error(where() + ": expected 0 or 1 in the mask, found " + std::to_string(stays) +
                                 " (255: not written)");
      if (stays == 1 && !std::isfinite(values(row, column)))
        throw std::runtime_error(where() + ": expected a finite weight, found none, or it was not written");
      if (stays == 0) values(row, column) = 0;
      zeros += 1 - stays;
    }
  return zeros;
}

}  // namespace retort::host
