// quantize.hqq: parameters and codes around hqq.h.
#include <retort/plugin.hpp>
#include <retort/quantizer.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "hqq.h"
#include "row_chunks.h"
#include "storage.h"

namespace {

using retort::quantize::CodedRow;
using retort::quantize::CodeGrid;

class Hqq : public retort::Quantizer {
 public:
  struct Params : retort::quantize::StorageParameters, retort::quantize::HalfQuadraticOptions {
    Params() { bits = 4, group_size = 64, symmetric = false, fit_scale = true; }
    std::string guard = "none";
    std::int64_t samples = 4096;
  };
  static auto schema() {
    return retort::quantize::storage_schema<Params>()
        .number("norm", &Params::norm)
        .above(0)
        .at_most(1)
        .doc("p of the error |w - w'|^p that is made least: the lower, the less few large errors count")
        .number("penalty", &Params::penalty)
        .above(0)
        .doc("beta at first: errors up to beta^(-1/(2-p)) are taken as they are, larger ones as outliers in part")
        .number("growth", &Params::growth)
        .at_least(1)
        .doc("of the penalty at each iteration")
        .integer("iterations", &Params::iterations)
        .at_least(1)
        .at_most(1000)
        .doc("at most; a group is done when its mean error no longer falls, and its best stays")
        .boolean("fit_scale", &Params::fit_scale)
        .doc(
            "the scale follows by least squares, too. false: only the zero moves, as in hqq, which gains nothing where "
            "zeros are whole numbers, as model files have them")
        .string("guard", &Params::guard)
        .one_of({"none", "output"})
        .doc(
            "none: without calibration data, as hqq; output: rows whose fit has a larger output error on calibration "
            "data than rounding keep the rounded codes, so that no module is worse than quantize.rtn's (not in hqq)")
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("token")
        .doc("calibration rows; read with guard output only");
  }

  explicit Hqq(const Params& params) : params_(params), storage_(params) {
    if (params.symmetric)
      throw std::invalid_argument("symmetric: expected false, since the method moves zero points; found true");
  }

  retort::QuantizeRequirements requirements() const override {
    if (params_.guard == "none") return {};
    return {RETORT_SIGNAL_INPUT_HESSIAN, params_.samples};
  }

  retort::QuantizeScheme scheme(const retort::Site& site) override { return storage_.scheme(site); }

  retort::Metrics quantize(const retort::Site& site, std::size_t index, const retort::QuantizeScheme& scheme,
                           const retort::QuantizeOutput& output) override {
    const CodeGrid grid = storage_.grid(scheme);
    const retort::SiteModule& module = site.modules.at(index);
    if (grid.symmetric) return retort::quantize::round_module(module, grid, output);  // an override of 8 bits
    retort::quantize::CodeWriter writer(module, grid, output);
    std::vector<double> iterations(static_cast<std::size_t>(module.weight.rows()));
    std::vector<double> rounded(iterations.size(), 0.0);
    const bool guarded = params_.guard == "output" && !retort::quantize::reads_single_rows(site);
    if (guarded)
      retort::expect_shape(site.statistics.hessian, "hessian", module.weight.columns(), module.weight.columns());
    retort::compression::for_row_chunks(module.weight.rows(), 16, [&](std::int64_t begin, std::int64_t end) {
      retort::throw_if_stopped();
      CodedRow row(module.weight.columns(), grid), plain(module.weight.columns(), grid);
      for (std::int64_t o = begin; o < end; ++o) {
        const std::span<const float> weights = writer.weights(o);
        iterations[static_cast<std::size_t>(o)] =
            static_cast<double>(retort::quantize::half_quadratic_row(weights, grid, params_, row));
        if (guarded) {
          retort::quantize::round_row(weights, grid, {}, plain);
          const auto error = [&](const CodedRow& coded) {
            return retort::quantize::output_error(weights, coded, [&](std::int64_t i) {
              return std::span<const float>(site.statistics.hessian.row(i), weights.size());
            });
          };
          const bool worse = error(row) > error(plain);
          rounded[static_cast<std::size_t>(o)] = worse ? 1 : 0;
          if (worse) std::swap(row, plain);
        }
        writer.write(o, row);
      }
    });
    retort::Metrics metrics = writer.metrics();
    double sum = 0;
    for (const double row : iterations) sum += row;
    const auto groups =
        static_cast<double>(module.weight.rows() * module.weight.columns() / grid.width(module.weight.columns()));
    metrics.emplace_back("iterations", sum / groups);
    if (guarded) {
      double kept = 0;
      for (const double row : rounded) kept += row;
      metrics.emplace_back("rows_rounded", kept / static_cast<double>(rounded.size()));
    }
    return metrics;
  }

 private:
  Params params_;
  retort::quantize::Storage storage_;
};

}  // namespace

RETORT_PLUGIN_LIST("hqq", "1.1.0", "Apache-2.0",
                   retort::component<Hqq>("quantize.hqq", "1.1.0",
                                          "fits scales and zero points robustly, without calibration data (HQQ)"));
