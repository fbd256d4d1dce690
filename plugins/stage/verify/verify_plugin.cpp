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
    double minimum_tokens = 0;
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
        .doc(
            "share of the utterances on which both must answer the same well-formed calls; two malformed answers are "
            "not the same")
        .number("minimum_tokens", &Params::minimum_tokens)
        .at_least(0)
        .at_most(1)
        .doc(
            "share on which both must say the same tokens, well-formed or not: proves the arithmetic of a model that "
            "has not learned to call yet; 0 = not asserted");
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
    const double calls = result.at("same_calls").get<double>(), tokens = result.at("same_tokens").get<double>();
    for (const char* fact : {"same_calls", "same_tokens", "both_malformed"}) context.fact(fact, result.at(fact).dump());
    retort::log_info("of " + result.at("utterances").dump() +
                     " utterances runtime and LibTorch give the same calls on " + retort::host::format_percent(calls) +
                     " and the same tokens on " + retort::host::format_percent(tokens) + "; on " +
                     retort::host::format_percent(result.at("both_malformed").get<double>()) +
                     " neither answers well-formed calls");
    expect(calls, params_.minimum, "calls", result);
    expect(tokens, params_.minimum_tokens, "tokens", result);
  }

 private:
  static void expect(double share, double minimum, const char* what, const nlohmann::json& result) {
    if (share >= minimum) return;
    throw std::runtime_error(
        "the runtime's " + std::string(what) + " equal LibTorch's on " + std::to_string(share) +
        " of the utterances, expected at least " + std::to_string(minimum) + "; neither answers well-formed calls on " +
        result.at("both_malformed").dump() +
        "; first difference: " + (result.at("differences").empty() ? "none" : result.at("differences").front().dump()));
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.verify", "1.2.0", "Apache-2.0",
                   retort::component<VerifyStage>("stage.verify", "1.2.0",
                                                  "proves that the runtime answers as the trained model does"));
