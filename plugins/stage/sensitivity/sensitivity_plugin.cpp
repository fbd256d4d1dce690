// stage.sensitivity: what a quantizer's codes cost layer by layer, and which layers are worth 8 bits.
#include <filesystem>
#include <utility>

#include "../common/compression_stage.h"
#include "host/base/json.h"
#include "train/quantization.h"
#include "train/sensitivity.h"

namespace {

class SensitivityStage : public retort::Stage {
 public:
  struct Params {
    std::string split = "validation";
    std::int64_t limit = 64;
    std::int64_t budget = 0;
    bool answers = true;
    std::int64_t inference_threads = 1;
    double max_rejected_share = 0.01;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("split", &Params::split)
        .one_of({"train", "validation", "test"})
        .doc("what the loss is measured on")
        .integer("limit", &Params::limit)
        .at_least(0)
        .unit("sequences")
        .doc("of the split, its first; 0 = all. The loss is taken once for every layer")
        .integer("budget", &Params::budget)
        .at_least(0)
        .unit("byte")
        .doc(
            "of the layers' matrices: those layers get 8 bits that save the most loss a byte, as long as they fit; "
            "0 = none does")
        .boolean("answers", &Params::answers)
        .doc(
            "each layer's codes alone are run, too, on this machine: exact match of the split's labelled rows, as many "
            "as `limit`, and milliseconds of a call")
        .integer("inference_threads", &Params::inference_threads)
        .at_least(1)
        .doc("of the runtime, whose milliseconds depend on them")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("of the rows that may be unusable: they are left out and said");
  }
  explicit SensitivityStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("report")
            .input("model", "model", "what is to be quantised")
            .input("dataset", "dataset", "calibration data, and what the loss is measured on")
            .slot("algorithm", RETORT_QUANTIZER_INTERFACE, "makes codes and scales");
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    return retort::stages::compression_findings(context, retort::train::check_quantizer);
  }

  void run(const retort::StageContext& context) override {
    retort::train::SensitivityJob job;
    job.model = context.input_folder("model");
    job.dataset = context.input_folder("dataset");
    job.quantizer = retort::stages::algorithm(context);
    job.split = params_.split;
    job.limit = params_.limit;
    job.budget = params_.budget;
    job.max_rejected_share = params_.max_rejected_share;
    job.threads = context.threads();
    if (params_.answers) job.work = context.work_folder();
    job.inference_threads = params_.inference_threads;
    const nlohmann::json result = retort::train::sensitivity(job, retort::stages::hooks(context));
    retort::host::write_json(std::filesystem::path(context.output_folder()) / "sensitivity.json", result);
    for (const char* name : {"loss", "perplexity", "bytes"}) context.fact(name, result.at(name).dump());
    for (const char* name : {"exact_match", "milliseconds"})
      if (result.contains(name)) context.fact(name, result.at(name).dump());
    context.fact("overrides", std::to_string(result.at("overrides").size()));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST(
    "stage.sensitivity", "1.1.0", "Apache-2.0",
    retort::component<SensitivityStage>(
        "stage.sensitivity", "1.1.0",
        "measures what codes cost and save layer by layer, and chooses layers for 8 bits within a budget"));
