// stage.preference: learning from pairs of answers, from data or from samples that a reward scored.
#include "../common/answer_scoring.h"
#include "../common/training_stage.h"
#include "train/preference.h"

namespace {

retort::host::PreferenceCall algorithm_of(const retort::BoundComponent& component) {
  return {std::string(component.id()), component.instance(), component.functions<retort_preference_v1>()};
}

class PreferenceStage : public retort::Stage {
 public:
  struct Params {
    retort::train::TrainingOptions training;
    std::int64_t samples = 8;
    double temperature = 1.0;
    std::int64_t max_new_tokens = 64;
    std::vector<double> reward_weights;
    double margin = 0;
    std::int64_t validation_limit = 200;
    std::int64_t validation_steps = 50;
  };
  static auto schema() {
    return retort::params<Params>()
        .object("training", &Params::training, retort::stages::training_parameters())
        .integer("samples", &Params::samples)
        .at_least(2)
        .doc("with a reward: answers to each prompt, of which the best and the worst become a pair")
        .number("temperature", &Params::temperature)
        .above(0)
        .doc("of the samples")
        .integer("max_new_tokens", &Params::max_new_tokens)
        .at_least(1)
        .unit("tokens")
        .doc("of one sample")
        .numbers("reward_weights", &Params::reward_weights)
        .doc("of the reward's scores, in their order, in the sum that samples are compared by; empty: the first alone")
        .number("margin", &Params::margin)
        .at_least(0)
        .doc("by which the best sample's score must exceed the worst's")
        .integer("validation_limit", &Params::validation_limit)
        .at_least(0)
        .unit("utterances")
        .doc("answered at every validation; 0 = off")
        .integer("validation_steps", &Params::validation_steps)
        .at_least(0)
        .unit("steps")
        .doc("between validations; 0 = only at the end");
  }
  explicit PreferenceStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("dataset", "dataset",
                   "train.jsonl with rows {\"messages\", \"chosen\", \"rejected\", \"weight\"?}; with a reward: "
                   "prompts, with the calls that references are made of")
            .input("model", "model", "the policy to start from")
            .slot("algorithm", RETORT_PREFERENCE_INTERFACE, "the loss")
            .slot("reward", RETORT_REWARD_INTERFACE, "scores samples, which become pairs", RETORT_SLOT_OPTIONAL)
            .slot("environment", RETORT_ENVIRONMENT_INTERFACE, "executes the calls of samples", RETORT_SLOT_OPTIONAL);
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    std::vector<std::string> findings;
    retort::stages::check_device(findings, params_.training);
    retort::stages::check_no_packing(findings, params_.training);
    retort::stages::check_no_dropout(findings, params_.training);
    retort::stages::collect(findings, "algorithm", [&] { algorithm_of(*context.slot("algorithm")); });
    if (context.slot("reward"))
      retort::stages::check_reward(findings, context, params_.reward_weights);
    else if (context.slot("environment"))
      findings.emplace_back(
          "environment: executes samples for a reward, and no reward is named; name one or leave it out");
    return findings;
  }

  void run(const retort::StageContext& context) override {
    retort::train::PreferenceJob job;
    retort::stages::fill(job, context, params_);
    job.policy = context.input_folder("model");
    job.algorithm.push_back(algorithm_of(*context.slot("algorithm")));
    for (std::int64_t thread = 1; thread < context.threads(); ++thread)
      job.algorithm.push_back(algorithm_of(context.create("algorithm")));
    if (context.slot("reward"))
      job.samples =
          retort::train::PreferenceSamples{.reward = retort::stages::answer_reward(context, params_.reward_weights),
                                           .reward_weights = params_.reward_weights,
                                           .count = params_.samples,
                                           .temperature = params_.temperature,
                                           .max_new_tokens = params_.max_new_tokens,
                                           .margin = params_.margin};
    job.validation_steps = params_.validation_steps;
    retort::stages::record_size(context, retort::train::learn_preferences(job, retort::stages::hooks(context)));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.preference", "1.1.0", "Apache-2.0",
                   retort::component<PreferenceStage>("stage.preference", "1.1.0",
                                                      "learning from pairs of answers, given or sampled"));
