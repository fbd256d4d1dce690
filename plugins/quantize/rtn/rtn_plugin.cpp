// quantize.rtn: round to nearest; the algorithm is round_row of code_grid.h. Leaves activations alone, and needs
// calibration only where it weights the search of scales.
#include <retort/plugin.hpp>
#include <retort/quantizer.hpp>
#include <string>
#include <vector>

#include "storage.h"

namespace {

class RoundToNearest : public retort::Quantizer {
 public:
  struct Params : retort::quantize::StorageParameters {
    std::string importance = "uniform";
    std::int64_t samples = 4096;
  };
  static auto schema() {
    return retort::quantize::storage_schema<Params>()
        .string("importance", &Params::importance)
        .one_of({"uniform", "input_squares"})
        .doc("weight of a column's error in the search of scales: the same for all, or the mean square of its input")
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("token")
        .doc("calibration rows; read with search_steps and importance input_squares only");
  }

  explicit RoundToNearest(const Params& params) : params_(params), storage_(params) {}

  retort::QuantizeRequirements requirements() const override {
    if (!weighted()) return {};
    return {RETORT_SIGNAL_INPUT_SQUARE_SUM, params_.samples};
  }

  retort::QuantizeScheme scheme(const retort::Site& site) override { return storage_.scheme(site); }

  retort::Metrics quantize(const retort::Site& site, std::size_t module, const retort::QuantizeScheme& scheme,
                           const retort::QuantizeOutput& output) override {
    std::vector<float> importance;
    if (weighted()) importance = retort::quantize::input_importance(site);
    return retort::quantize::round_module(site.modules.at(module), storage_.grid(scheme), output, importance);
  }

 private:
  bool weighted() const { return params_.search_steps > 0 && params_.importance == "input_squares"; }

  Params params_;
  retort::quantize::Storage storage_;
};

}  // namespace

RETORT_PLUGIN_LIST("rtn", "1.1.0", "Apache-2.0",
                   retort::component<RoundToNearest>("quantize.rtn", "1.1.0",
                                                     "round to nearest, per row or per group, 2 to 8 bits"));
