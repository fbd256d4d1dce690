// Base class of sparsifiers (retort.sparsifier/1).
#pragma once

#include <retort/abi/sparsifier.h>

#include <retort/component.hpp>
#include <retort/site.hpp>
#include <retort/tensor.hpp>

namespace retort {

struct SparsifyRequirements {
  std::uint64_t signals = 0;  ///< INPUT_…
  std::int64_t samples = 0;   ///< calibration rows
};

/// Every element is to be written.
struct SparsifyOutput {
  TensorView<std::uint8_t> mask;  ///< [O,I] 1 stays, 0 becomes zero
  TensorView<float> weight;       ///< [O,I]
};

class Sparsifier : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_SPARSIFIER_INTERFACE;
  virtual SparsifyRequirements requirements() const { return {}; }
  virtual Metrics sparsify(const Site& site, std::size_t module, const SparsifyOutput& output) = 0;

  const void* table(std::string_view id) const final {
    static const retort_sparsifier_v1 functions = {RETORT_SPARSIFIER_V1_SIZE, 0, &abi_requirements, &abi_sparsify};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_requirements(retort_instance* instance, retort_sparsify_requirements* out) {
    return detail::guarded([&] {
      const SparsifyRequirements wanted = detail::self<Sparsifier>(instance).requirements();
      out->signals = wanted.signals;
      out->samples = wanted.samples;
    });
  }
  static retort_error* abi_sparsify(retort_instance* instance, const retort_site* site, std::uint64_t module,
                                    const retort_sparsify_output* output, const retort_metric_sink* metrics) {
    return detail::guarded([&] {
      detail::report(metrics, detail::self<Sparsifier>(instance).sparsify(
                                  Site(*site), static_cast<std::size_t>(module),
                                  {{output->mask, "mask", 2}, {output->weight, "weight", 2}}));
    });
  }
};

}  // namespace retort
