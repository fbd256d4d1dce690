// stage.verify: compares the runtime's greedy calls with those of the LibTorch model of the same weights.
#include <stdexcept>

#include "../common/training_stage.h"
#include "host/base/json.h"
#include "host/base/number_format.h"
#include "train/agreement.h"

namespace {

class VerifyStage : public retort::Stage {
 public:
  struct Params {
    std::string split = "test";
    std::int64_t limit = 0;
    double minimum = 0.99;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("split", &Params::split)
        .one_of({"train", "validation", "test"})
        .doc("which utterances")
        .integer("limit", &Params::limit)
        .at_least(0)
        .unit("utterances")
        .doc("0 = all")
        .number("minimum", &Params::minimum)
        .at_least(0)
        .at_most(1)
        .doc("share of equal answers below which the run fails");
  }
  explicit VerifyStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape = retort::StageShape("report")
                                                .input("model", "model", "run twice: by LibTorch and by the runtime")
                                                .input("dataset", "dataset", "utterances to answer");
    return shape;
  }

  void run(const retort::StageContext& context) override {
    retort::train::AgreementJob job;
    job.model = context.input_folder("model");
    job.dataset = context.input_folder("dataset");
    job.split = params_.split;
    job.limit = params_.limit;
    job.threads = context.threads();
    const nlohmann::json result = retort::train::agreement(job, retort::stages::hooks(context));
    retort::host::write_json(std::filesystem::path(context.output_folder()) / "agreement.json", result);
    const double share = result.at("same_calls").get<double>();
    context.fact("same_calls", result.at("same_calls").dump());
    context.fact("same_tokens", result.at("same_tokens").dump());
    retort::log_info("runtime and LibTorch give the same calls on " + retort::host::format_percent(share) + " of " +
                     result.at("utterances").dump() + " utterances");
    if (share < params_.minimum)
      throw std::runtime_error("the runtime's calls equal LibTorch's on " + std::to_string(share) +
                               " of the utterances, expected at least " + std::to_string(params_.minimum) +
                               "; first difference: " +
                               (result.at("differences").empty() ? "none" : result.at("differences").front().dump()));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.verify", "1.1.0", "Apache-2.0",
                   retort::component<VerifyStage>("stage.verify", "1.1.0",
                                                  "proves that the runtime answers as the trained model does"));
