// stage.rl: reinforcement learning with rewards from calls, executed in an environment where one is given.
#include <nlohmann/json.hpp>

#include "../common/training_stage.h"
#include "train/policy_gradient.h"

namespace {

using nlohmann::json;
using retort::train::Rollout;

/// Scores rollouts with the stage's reward, after the environment (if any) executed answers and references.
class CallReward {
 public:
  CallReward(retort::SlotComponent reward, std::optional<retort::SlotComponent> environment)
      : reward_(std::move(reward)), environment_(std::move(environment)) {}

  std::vector<double> operator()(const std::vector<retort::task::Tool>& tools,
                                 const std::vector<Rollout>& rollouts) const {
    json items = json::array();
    json executions = json::array();  // answer and reference of every rollout, in turn
    for (const Rollout& rollout : rollouts) {
      const auto* calls = std::get_if<std::vector<retort::task::Call>>(&rollout.response);
      const json answer = calls != nullptr ? retort::task::calls_to_json(*calls) : json::array();
      const json reference = retort::task::calls_to_json(*rollout.example->calls);
      items.push_back({{"prompt", rollout.example->utterance}, {"reference", {{"calls", reference}}}});
      items.back()["response"] = calls != nullptr
                                     ? json{{"calls", answer}}
                                     : json{{"malformed", std::get<retort::task::Malformed>(rollout.response).reason}};
      executions.push_back(answer);
      executions.push_back(reference);
    }
    if (environment_) {
      const json outcomes = json::parse(environment_->execute(executions.dump()));
      for (std::size_t i = 0; i < items.size(); ++i) {
        items[i]["execution"] = outcomes.at(2 * i);
        items[i]["reference_execution"] = outcomes.at(2 * i + 1);
      }
    }
    std::vector<double> scores;
    for (const json& score : json::parse(reward_.score(retort::task::tools_to_json(tools).dump(), items.dump())))
      scores.push_back(score.at("score").get<double>());
    return scores;
  }

 private:
  retort::SlotComponent reward_;
  std::optional<retort::SlotComponent> environment_;
};

class RlStage : public retort::Stage {
 public:
  struct Params {
    retort::train::TrainingOptions training;
    double temperature = 1.0;
    std::int64_t max_new_tokens = 64;
    std::int64_t validation_limit = 200;
    std::int64_t validation_steps = 10;
  };
  static auto schema() {
    return retort::params<Params>()
        .object("training", &Params::training, retort::stages::training_parameters())
        .number("temperature", &Params::temperature)
        .above(0)
        .doc("of the rollouts")
        .integer("max_new_tokens", &Params::max_new_tokens)
        .at_least(1)
        .unit("tokens")
        .doc("of one answer")
        .integer("validation_limit", &Params::validation_limit)
        .at_least(0)
        .unit("utterances")
        .doc("answered at every validation; 0 = off")
        .integer("validation_steps", &Params::validation_steps)
        .at_least(0)
        .unit("steps")
        .doc("between validations; 0 = only at the end");
  }
  explicit RlStage(Params params) : params_(std::move(params)) {}

  const retort::StageShape& shape() const override {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("dataset", "dataset", "prompts, with the calls that references are made of")
            .input("model", "model", "the policy to start from")
            .slot("algorithm", RETORT_RL_INTERFACE, "advantages and loss")
            .slot("reward", RETORT_REWARD_INTERFACE, "scores an answer")
            .slot("environment", RETORT_ENVIRONMENT_INTERFACE, "executes the calls", RETORT_SLOT_OPTIONAL);
    return shape;
  }

  void run(const retort::StageContext& context) override {
    retort::train::PolicyGradientJob job;
    retort::stages::fill(job, context, params_);
    job.policy = context.input_folder("model");
    job.algorithm = retort::stages::handle<retort_rl_v1>(*context.slot("algorithm"));
    job.reward = CallReward(*context.slot("reward"), context.slot("environment"));
    job.temperature = params_.temperature;
    job.max_new_tokens = params_.max_new_tokens;
    job.validation_steps = params_.validation_steps;
    retort::stages::record_size(context, retort::train::policy_gradient(job, retort::stages::hooks(context)));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.rl", "1.0.0", "Apache-2.0",
                   retort::component<RlStage>("stage.rl", "1.0.0",
                                              "reinforcement learning with rewards from executed calls"));
