// quantize.smoothquant: parameters, statistics and codes around smoothquant.h. The host folds the factors into what
// produces the site's input; the codes are those of rounding to nearest.
#include <algorithm>
#include <cmath>
#include <retort/plugin.hpp>
#include <retort/quantizer.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "finite_weights.h"
#include "smoothquant.h"
#include "storage.h"

namespace {

class SmoothQuant : public retort::Quantizer {
 public:
  struct Params : retort::quantize::StorageParameters {
    double alpha = .5;
    std::string sites = "norm";
    std::int64_t samples = 8192;
  };
  static auto schema() {
    return retort::quantize::storage_schema<Params>()
        .number("alpha", &Params::alpha)
        .at_least(0)
        .at_most(1)
        .doc("how much of the inputs' range moves into the weights: 0 none but the weights' own evened out, 1 all")
        .string("sites", &Params::sites)
        .one_of({"norm", "all"})
        .doc(
            "norm: the inputs of q/k/v, gate/up and a separate head, which a norm takes up, as in the paper; all: "
            "those "
            "of o and down as well, taken up by v's and up's rows")
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("token")
        .doc("calibration rows");
  }

  explicit SmoothQuant(const Params& params) : params_(params), storage_(params) {}

  retort::QuantizeRequirements requirements() const override {
    return {RETORT_SIGNAL_INPUT_ABSOLUTE_MAX, params_.samples};
  }

  retort::QuantizeScheme scheme(const retort::Site& site) override { return storage_.scheme(site); }

  bool smooth(const retort::Site& site, retort::TensorView<float> factors, retort::Metrics& metrics) override {
    const bool wanted = params_.sites == "all" || site.producer == RETORT_PRODUCER_NORM;
    if (!wanted || storage_.scheme(site).bits == 0) return false;
    try {
      retort::expect_shape(factors, "factors", site.columns);
      retort::expect_shape(site.statistics.absolute_max, "absolute_max", site.columns);
      const std::vector<float> input = largest_inputs(site), weight = largest_weights(site);
      const std::vector<float> found =
          retort::quantize::smoothquant_factors(input, weight, params_.alpha, retort::quantize::shared_channels(site));
      double range = 0, smoothed = 0;
      for (std::size_t i = 0; i < found.size(); ++i) {
        factors[static_cast<std::int64_t>(i)] = found[i];
        range = std::max(range, static_cast<double>(input[i]));
        smoothed = std::max(smoothed, static_cast<double>(input[i] / found[i]));
      }
      metrics = {{"input_range", range}, {"input_range_smoothed", smoothed}};
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string(site.name) + ": " + error.what());
    }
    return true;
  }

  retort::Metrics quantize(const retort::Site& site, std::size_t module, const retort::QuantizeScheme& scheme,
                           const retort::QuantizeOutput& output) override {
    return retort::quantize::round_module(site.modules.at(module), storage_.grid(scheme), output);
  }

 private:
  static std::vector<float> largest_inputs(const retort::Site& site) {
    std::vector<float> largest;  // the view may have a stride
    for (std::int64_t i = 0; i < site.columns; ++i) largest.push_back(site.statistics.absolute_max[i]);
    return largest;
  }

  static std::vector<float> largest_weights(const retort::Site& site) {
    std::vector<float> largest(static_cast<std::size_t>(site.columns), 0.0f);
    if (site.modules.empty()) throw std::invalid_argument("expected modules, found none");
    for (const retort::SiteModule& module : site.modules) {
      retort::expect_shape(module.weight, "weight", module.rows, site.columns);
      try {
        retort::compression::expect_finite(module.weight);
      } catch (const std::invalid_argument& error) {
        throw std::invalid_argument(std::string(module.name) + ", " + error.what());
      }
      for (std::int64_t o = 0; o < module.rows; ++o)
        for (std::int64_t i = 0; i < site.columns; ++i) {
          float& most = largest[static_cast<std::size_t>(i)];
          most = std::max(most, std::abs(module.weight(o, i)));
        }
    }
    return largest;
  }

  Params params_;
  retort::quantize::Storage storage_;
};

}  // namespace

RETORT_PLUGIN_LIST(
    "smoothquant", "1.0.0", "Apache-2.0",
    retort::component<SmoothQuant>("quantize.smoothquant", "1.0.0",
                                   "moves the range of inputs into weights, then rounds to nearest (SmoothQuant)"));
