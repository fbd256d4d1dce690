// quantize.awq: parameters, statistics and codes around awq.h. The host folds the factors into what produces the
// site's input; the codes are those of rounding to nearest, or GPTQ's for the smoothed weights.
#include <algorithm>
#include <retort/plugin.hpp>
#include <retort/quantizer.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "awq.h"
#include "gptq_modules.h"
#include "storage.h"

namespace {

using retort::quantize::InputView;
using retort::quantize::WeightView;

class Awq : public retort::Quantizer {
 public:
  struct Params : retort::quantize::StorageParameters, retort::quantize::GptqParameters {
    std::string objective = "samples", codes = "nearest";
    std::int64_t samples = 512, steps = 20;
    bool weight_scaling = false;
    Params() { bits = 4, group_size = 64; }
  };
  static auto schema() {
    return retort::quantize::with_gptq(retort::quantize::storage_schema<Params>())
        .string("objective", &Params::objective)
        .one_of({"samples", "hessian"})
        .doc(
            "what the output's error is measured on: the first calibration rows, or all of them through the Hessian, "
            "which costs as many products as a site has columns")
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("token")
        .doc("calibration rows")
        .integer("steps", &Params::steps)
        .at_least(1)
        .at_most(1000)
        .doc("exponents that are tried, k/steps from 0")
        .boolean("weight_scaling", &Params::weight_scaling)
        .doc(
            "factors also take in the columns' mean weight, mean|x|^r / mean|w|^(1-r), as AutoAWQ's duo_scaling; "
            "false: "
            "mean|x|^r")
        .string("codes", &Params::codes)
        .one_of({"nearest", "gptq"})
        .doc(
            "of the smoothed weights: rounded to nearest, as AWQ has it; or by GPTQ from the Hessian of the smoothed "
            "input, whose parameters are damping to zero_dead_columns, and which wants some 8192 samples");
  }

  explicit Awq(const Params& params) : params_(params), storage_(params), gptq_(params) {}

  retort::QuantizeRequirements requirements() const override {
    const std::uint64_t objective = hessian() ? RETORT_SIGNAL_INPUT_HESSIAN : RETORT_SIGNAL_INPUT_SAMPLES;
    const std::uint64_t codes = by_gptq() ? RETORT_SIGNAL_INPUT_HESSIAN : 0;
    return {RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN | objective | codes, params_.samples};
  }

  retort::QuantizeScheme scheme(const retort::Site& site) override { return storage_.scheme(site); }

  bool smooth(const retort::Site& site, retort::TensorView<float> factors, retort::Metrics& metrics) override {
    const retort::QuantizeScheme scheme = storage_.scheme(site);
    if (scheme.bits == 0) return false;
    try {
      retort::expect_shape(factors, "factors", site.columns);
      if (scheme.group_size > 0 && site.columns % scheme.group_size != 0)
        throw std::invalid_argument("group_size: expected a divisor of the site's " + std::to_string(site.columns) +
                                    " columns, found " + std::to_string(scheme.group_size));
      const std::vector<WeightView> weights = weights_of(site);
      retort::expect_shape(site.statistics.absolute_mean, "absolute_mean", site.columns);
      std::vector<float> means;
      for (std::int64_t i = 0; i < site.columns; ++i) means.push_back(site.statistics.absolute_mean[i]);
      const retort::quantize::Smoothing best = retort::quantize::best_smoothing(
          weights, means, input_of(site), storage_.grid(scheme), retort::quantize::shared_channels(site),
          {params_.steps, params_.weight_scaling}, [] { retort::throw_if_stopped(); });
      for (std::int64_t i = 0; i < site.columns; ++i) factors[i] = best.factors[static_cast<std::size_t>(i)];
      metrics = {{"smoothing_exponent", best.exponent},
                 {"output_error", best.error},
                 {"output_error_unsmoothed", best.rounding_error}};
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string(site.name) + ": " + error.what());
    }
    return true;
  }

  retort::Metrics quantize(const retort::Site& site, std::size_t module, const retort::QuantizeScheme& scheme,
                           const retort::QuantizeOutput& output) override {
    if (by_gptq()) return gptq_.quantize(site, module, storage_.grid(scheme), output);
    return retort::quantize::round_module(site.modules.at(module), storage_.grid(scheme), output);
  }

 private:
  bool by_gptq() const { return params_.codes == "gptq"; }
  bool hessian() const { return params_.objective == "hessian"; }

  static std::vector<WeightView> weights_of(const retort::Site& site) {
    std::vector<WeightView> weights;
    for (const retort::SiteModule& module : site.modules) {
      retort::expect_shape(module.weight, "weight", module.rows, site.columns);
      weights.push_back({module.weight.row(0), module.rows, stride_of(module.weight)});
    }
    if (weights.empty()) throw std::invalid_argument("expected modules, found none");
    return weights;
  }

  InputView input_of(const retort::Site& site) const {
    const retort::TensorView<const float>& input = hessian() ? site.statistics.hessian : site.statistics.samples;
    retort::expect_shape(input, hessian() ? "hessian" : "samples", hessian() ? site.columns : -1, site.columns);
    if (input.rows() == 0) throw std::invalid_argument("samples: expected calibration rows, found none");
    return {input.row(0), input.rows(), stride_of(input), hessian()};
  }

  static std::int64_t stride_of(const retort::TensorView<const float>& view) {
    return view.rows() > 1 ? view.row(1) - view.row(0) : view.columns();
  }

  Params params_;
  retort::quantize::Storage storage_;
  retort::quantize::GptqModules gptq_;
};

}  // namespace

RETORT_PLUGIN_LIST(
    "awq", "1.1.0", "Apache-2.0",
    retort::component<Awq>("quantize.awq", "1.1.0",
                           "smooths inputs by what activations need, then rounds, to nearest (AWQ) or by GPTQ"));
