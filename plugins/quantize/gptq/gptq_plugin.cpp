// quantize.gptq: parameters and requirements around gptq_modules.h.
#include <retort/plugin.hpp>
#include <retort/quantizer.hpp>

#include "gptq_modules.h"
#include "storage.h"

namespace {

class Gptq : public retort::Quantizer {
 public:
  struct Params : retort::quantize::StorageParameters, retort::quantize::GptqParameters {
    std::int64_t samples = 8192;
    Params() { bits = 4, group_size = 64; }
  };
  static auto schema() {
    return retort::quantize::with_gptq(retort::quantize::storage_schema<Params>())
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("token")
        .doc("calibration rows of the Hessian; several times the columns of the widest site are of use");
  }

  explicit Gptq(const Params& params) : samples_(params.samples), storage_(params), modules_(params) {}

  retort::QuantizeRequirements requirements() const override { return {RETORT_SIGNAL_INPUT_HESSIAN, samples_}; }

  retort::QuantizeScheme scheme(const retort::Site& site) override { return storage_.scheme(site); }

  retort::Metrics quantize(const retort::Site& site, std::size_t index, const retort::QuantizeScheme& scheme,
                           const retort::QuantizeOutput& output) override {
    return modules_.quantize(site, index, storage_.grid(scheme), output);
  }

 private:
  std::int64_t samples_;
  retort::quantize::Storage storage_;
  retort::quantize::GptqModules modules_;
};

}  // namespace

RETORT_PLUGIN_LIST("gptq", "1.0.0", "Apache-2.0",
                   retort::component<Gptq>("quantize.gptq", "1.0.0",
                                           "rounds column by column, the rest makes up for the error (GPTQ)"));
