// stage.rl: reinforcement learning with rewards from calls, executed in an environment where one is given.
#include "../common/answer_scoring.h"
#include "../common/training_stage.h"
#include "train/policy_gradient.h"
#include "train/teacher_reward.h"

namespace {

retort::host::RlCall algorithm_of(const retort::BoundComponent& component) {
  return {std::string(component.id()), component.instance(), component.functions<retort_rl_v1>()};
}

class RlStage : public retort::Stage {
 public:
  struct Params {
    retort::train::TrainingOptions training;
    double temperature = 1.0;
    std::int64_t max_new_tokens = 64;
    std::int64_t max_turns = 1;
    std::int64_t max_result_tokens = 256;
    std::string rollout_precision = "f32";
    bool grammar = false;
    std::vector<double> reward_weights;
    double teacher_weight = 0;
    std::int64_t validation_limit = 200;
    std::int64_t validation_steps = 10;
  };
  static auto schema() {
    return retort::params<Params>()
        .object("training", &Params::training, retort::stages::training_parameters())
        .number("temperature", &Params::temperature)
        .above(0)
        .doc("of the rollouts, and of the log-probabilities that are compared")
        .integer("max_new_tokens", &Params::max_new_tokens)
        .at_least(1)
        .unit("tokens")
        .doc("of one answer")
        .integer("max_turns", &Params::max_turns)
        .at_least(1)
        .at_most(64)
        .unit("answers")
        .doc(
            "of one rollout: above 1, the environment executes the calls of an answer and the policy reads the results "
            "before it answers again, until it does not call; nothing is learnt from the tokens of results, and the "
            "reward judges the whole")
        .integer("max_result_tokens", &Params::max_result_tokens)
        .at_least(1)
        .unit("tokens")
        .doc("room for the results of one turn, where there are several; a rollout whose results find none ends")
        .string("rollout_precision", &Params::rollout_precision)
        .one_of({"f32", "bf16"})
        .doc(
            "of the sampler's weights and cache; bf16 is faster, and draws from a distribution that is off by what the "
            "metric sampler_difference says")
        .boolean("grammar", &Params::grammar)
        .doc(
            "limit rollouts to valid calls by the task's grammar: nothing is malformed, and what is drawn from differs "
            "from the policy by the mass of what is not allowed (sampler_difference; the algorithm's "
            "sampler_correction "
            "weighs it)")
        .numbers("reward_weights", &Params::reward_weights)
        .doc("of the reward's scores, in their order, in the sum that is learned from; empty: the first score alone")
        .number("teacher_weight", &Params::teacher_weight)
        .at_least(0)
        .doc(
            "of what the teacher thinks of each token more than the policy does (log-probabilities), added to the "
            "algorithm's token rewards, or to its advantages where it asks for none; 0: 1 if it asks for token rewards")
        .integer("validation_limit", &Params::validation_limit)
        .at_least(0)
        .unit("utterances")
        .doc("answered at every validation; 0 = off")
        .integer("validation_steps", &Params::validation_steps)
        .at_least(0)
        .unit("batches of rollouts")
        .doc("between validations; 0 = only at the end");
  }
  explicit RlStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("dataset", "dataset", "prompts, with the calls that references are made of")
            .input("model", "model", "the policy to start from")
            .input("teacher", "model", "rewards every token by its log-probability (on-policy distillation)",
                   RETORT_INPUT_OPTIONAL)
            .slot("algorithm", RETORT_RL_INTERFACE, "advantages and loss")
            .slot("reward", RETORT_REWARD_INTERFACE, "scores an answer")
            .slot("environment", RETORT_ENVIRONMENT_INTERFACE, "executes the calls", RETORT_SLOT_OPTIONAL);
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    std::vector<std::string> findings;
    retort::stages::check_device(findings, params_.training);
    retort::stages::check_no_packing(findings, params_.training);
    retort::stages::check_no_dropout(findings, params_.training);
    retort::stages::collect(findings, "algorithm", [&] {
      const retort::host::RlCall algorithm = algorithm_of(*context.slot("algorithm"));
      const bool teacher = context.has_input("teacher");
      algorithm.require_offered(retort::train::policy_gradient_signals | (teacher ? RETORT_SIGNAL_TOKEN_REWARDS : 0),
                                teacher ? "stage.rl" : "stage.rl without the input \"teacher\"");
      retort::train::teacher_weight(algorithm, teacher, params_.teacher_weight);
    });
    retort::stages::check_reward(findings, context, params_.reward_weights);
    if (params_.max_turns > 1 && !context.slot("environment"))
      findings.emplace_back(
          "max_turns: expected an environment that executes the calls between turns, found none; name one in the slot "
          "\"environment\", or set max_turns to 1");
    return findings;
  }

  void run(const retort::StageContext& context) override {
    retort::train::PolicyGradientJob job;
    retort::stages::fill(job, context, params_);
    job.policy = context.input_folder("model");
    job.algorithm.push_back(algorithm_of(*context.slot("algorithm")));
    for (std::int64_t thread = 1; thread < context.threads(); ++thread)
      job.algorithm.push_back(algorithm_of(context.create("algorithm")));
    job.reward = retort::stages::answer_reward(context, params_.reward_weights);
    job.reward_weights = params_.reward_weights;
    job.rollout_precision = params_.rollout_precision;
    job.grammar = params_.grammar;
    job.temperature = params_.temperature;
    if (context.has_input("teacher")) job.teacher = context.input_folder("teacher");
    job.teacher_weight = params_.teacher_weight;
    job.max_new_tokens = params_.max_new_tokens;
    job.max_turns = params_.max_turns;
    job.max_result_tokens = params_.max_result_tokens;
    if (params_.max_turns > 1) job.environment = retort::stages::environment_of(context);
    job.validation_steps = params_.validation_steps;
    retort::stages::record_size(context, retort::train::policy_gradient(job, retort::stages::hooks(context)));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.rl", "1.4.0", "Apache-2.0",
                   retort::component<RlStage>("stage.rl", "1.4.0",
                                              "reinforcement learning with rewards from executed calls"));
