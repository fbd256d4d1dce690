// stage.verify: compares the runtime's greedy calls with those of the LibTorch model of the same weights. A proof that
// fails is written down and does not end the run.
#include <filesystem>
#include <string>

#include "../common/training_stage.h"
#include "host/base/foreign_json.h"
#include "host/base/json.h"
#include "host/base/number_format.h"
#include "train/agreement.h"

namespace {

class VerifyStage : public retort::Stage {
 public:
  struct Params {
    std::string split = "test";
    std::int64_t limit = 0;
    double minimum = 0.9;
    double minimum_tokens = 1;
    double max_rejected_share = 0.01;
    double tie = 0.05;
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
            "share of the utterances on which both must answer the same well-formed calls, or part at a tie; two "
            "malformed answers are not the same: a model that has learned little proves little")
        .number("minimum_tokens", &Params::minimum_tokens)
        .at_least(0)
        .at_most(1)
        .doc("share on which both must say the same tokens, or part at a tie: both multiply the same codes")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("of the split's rows that may be no chat rows")
        .number("tie", &Params::tie)
        .at_least(0)
        .unit("logits")
        .doc("two tokens nearer to each other than this are a tie, which rounding decides");
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
    job.work = context.work_folder();
    job.split = params_.split;
    job.limit = params_.limit;
    job.max_rejected_share = params_.max_rejected_share;
    job.threads = context.threads();
    job.tie = params_.tie;
    Json result = retort::train::agreement(job, retort::stages::hooks(context));
    const std::string failure = failure_of(result);
    result["verdict"] = failure.empty() ? "proved" : "failed: " + failure;
    retort::host::write_json(std::filesystem::path(context.output_folder()) / "agreement.json", result);
    tell(context, result);
  }

 private:
  using Json = nlohmann::json;

  static void tell(const retort::StageContext& context, const Json& result) {
    for (const char* fact : {"verdict", "same_calls", "same_tokens", "ties", "both_malformed"})
      context.fact(fact, retort::host::to_text(result.at(fact)));
    const auto percent = [&](const Json& share) { return retort::host::format_percent(share.get<double>()); };
    retort::log_info("of " + result.at("utterances").dump() +
                     " utterances runtime and LibTorch, both with float activations, give the same calls on " +
                     percent(result.at("same_calls")) + " and the same tokens on " + percent(result.at("same_tokens")) +
                     "; " + percent(result.at("ties")) + " part at a tie, on " + percent(result.at("both_malformed")) +
                     " neither answers well-formed calls");
    const Json& int8 = result.at("int8_activations");
    if (!int8.is_null()) {
      context.fact("same_calls_with_int8_activations", int8.at("same_calls").dump());
      retort::log_info("int8 activations leave " + percent(int8.at("same_calls")) +
                       " of the runtime's calls as they are with float activations");
    }
    if (result.at("verdict") != "proved") retort::log_warning(result.at("verdict").get<std::string>());
  }

  /// Why the proof failed, or "". A failure is a result: the artifact says it, the run goes on and ends with it.
  std::string failure_of(const Json& result) const {
    double ties = 0;
    for (const Json& difference : result.at("differences")) ties += difference.at("tie").get<bool>() ? 1 : 0;
    const double calls = result.at("same_calls").get<double>() + ties / result.at("utterances").get<double>();
    const double tokens = result.at("same_tokens").get<double>() + result.at("ties").get<double>();
    const std::string less = shortfall(calls, params_.minimum, "calls", result);
    return less.empty() ? shortfall(tokens, params_.minimum_tokens, "tokens", result) : less;
  }

  static std::string shortfall(double share, double minimum, const char* what, const Json& result) {
    constexpr double rounding = 1e-9;  // of shares that are added up
    if (share >= minimum - rounding) return "";
    std::string first = "none";
    for (const Json& difference : result.at("differences"))
      if (first == "none" && !difference.at("tie").get<bool>()) first = retort::host::to_text(difference);
    return "the runtime's " + std::string(what) + " equal LibTorch's, ties included, on " +
           retort::host::format_percent(share) + " of the utterances, expected at least " +
           retort::host::format_percent(minimum) + "; neither answers well-formed calls on " +
           retort::host::format_percent(result.at("both_malformed").get<double>()) + "; first difference: " + first;
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.verify", "1.3.0", "Apache-2.0",
                   retort::component<VerifyStage>("stage.verify", "1.3.0",
                                                  "proves that the runtime answers as the trained model does"));
