// ABI glue of stage.rft: reads the dataset, asks the model, writes the accepted answers as a dataset folder.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <retort/sdk.hpp>

#include "../common/answer_scoring.h"
#include "host/base/files.h"
#include "rft.h"
#include "rft_turns.h"
#include "task/example_file.h"
#include "train/tool_turns.h"

namespace {

namespace fs = std::filesystem;
namespace stages = retort::stages;
namespace task = retort::task;

class RftStage final : public retort::Stage {
 public:
  struct Params {
    stages::RftOptions sampling;
    std::int64_t max_new_tokens = 96;
    bool grammar = true;
    std::int64_t threads = 1;
    double max_rejected_share = 0.1;
  };
  static auto schema() {
    return retort::params<Params>()
        .object("sampling", &Params::sampling, sampling_parameters())
        .integer("max_new_tokens", &Params::max_new_tokens)
        .at_least(1)
        .unit("tokens")
        .doc("of one answer")
        .boolean("grammar", &Params::grammar)
        .doc("answers are limited to calls that the tools allow")
        .integer("threads", &Params::threads)
        .at_least(1)
        .doc("of the inference; small models are fastest with 1")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("of rows that cannot be read, in every split");
  }
  explicit RftStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("dataset")
            .input("dataset", "dataset", "prompts; labels become the references of the reward")
            .input("model", "model", "who answers")
            .slot("reward", RETORT_REWARD_INTERFACE, "scores an answer")
            .slot("environment", RETORT_ENVIRONMENT_INTERFACE, "executes the calls", RETORT_SLOT_OPTIONAL);
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    std::vector<std::string> findings;
    stages::check_reward(findings, context, params_.sampling.reward_weights);
    if (params_.sampling.max_turns > 1 && !context.slot("environment"))
      findings.emplace_back(
          "sampling/max_turns: expected an environment that executes the calls between turns, found none; name one in "
          "the slot \"environment\", or set max_turns to 1");
    return findings;
  }

  void run(const retort::StageContext& context) override {
    const fs::path input = context.input_folder("dataset"), output = context.output_folder();
    const task::Split train = task::read_split(input / "train.jsonl", params_.max_rejected_share, task::Turns::all);
    if (train.examples.empty()) throw std::runtime_error("stage.rft: the dataset has no rows to answer");
    stages::RftOptions options = params_.sampling;
    options.seed = context.seed();
    stages::AnswerJournal journal(fs::path(context.work_folder()) / "answers.jsonl");
    retort::runtime::CallModel model(
        context.input_folder("model"),
        {.threads = params_.threads, .sequences = std::min(options.samples, retort::runtime::kMaxSequences)});
    retort::runtime::CallGrammar grammar = model.grammar_settings();
    grammar.on = params_.grammar;
    model.set_grammar(grammar);
    const stages::AnswerConversation answer = [&](const task::Conversation& asked, std::int64_t count,
                                                  double temperature, std::uint64_t seed) {
      return model.sample(asked, count, {.temperature = temperature, .seed = seed}, params_.max_new_tokens);
    };
    const std::optional<retort::host::EnvironmentCall> environment = stages::environment_of(context);
    if (options.max_turns > 1) retort::train::expect_tool_turns(model.contract(), model.tokenizer(), train.examples);
    const stages::SampleAnswers sample = [&](const task::Example& asked, std::int64_t count, double temperature,
                                             std::uint64_t seed) {
      if (options.max_turns > 1)
        return stages::answer_with_tools(answer, environment.value(), asked,
                                         {count, temperature, seed, options.max_turns});
      std::vector<stages::SampledTurns> samples;
      for (retort::runtime::Answer& one : answer(asked, count, temperature, seed))
        static_cast<retort::runtime::Answer&>(samples.emplace_back()) = std::move(one);
      return samples;
    };
    const auto total = static_cast<std::int64_t>(train.examples.size());
    const stages::RftResult result = stages::rejection_sample(
        train.examples, task::read_tools(input / "tools.json"), sample,
        stages::answer_reward(context, options.reward_weights), options, &journal,
        [&](std::int64_t round, std::size_t done) {
          retort::throw_if_stopped();
          context.progress("round " + std::to_string(round + 1), static_cast<std::int64_t>(done), total, "prompts");
        });
    if (result.rows.empty())
      throw std::runtime_error("stage.rft: no answer to any of " + std::to_string(total) +
                               " prompts was accepted; the first: " + result.rejected.front().reason +
                               "; raise samples or temperature, or lower threshold");
    write(context, input, output, train, result);
    record(context, result);
  }

 private:
  static retort::ParameterSet<stages::RftOptions> sampling_parameters() {
    using O = stages::RftOptions;
    return retort::params<O>()
        .integer("samples", &O::samples)
        .at_least(1)
        .at_most(1024)
        .unit("answers")
        .doc("to each prompt in a round")
        .integer("max_turns", &O::max_turns)
        .at_least(1)
        .at_most(64)
        .unit("answers")
        .doc(
            "of one sample: above 1, the environment executes the calls of an answer and the model reads the results "
            "before it answers again, until it does not call; every answer of an accepted sample becomes a row, the "
            "results are read there and not learnt")
        .integer("rounds", &O::rounds)
        .at_least(1)
        .doc("in the later ones, prompts that have not enough accepted answers are asked again")
        .integer("keep", &O::keep)
        .at_least(0)
        .unit("answers")
        .doc("different accepted ones of a prompt, the best first; 0 = all")
        .number("temperature", &O::temperature)
        .above(0)
        .doc("of the first round")
        .number("temperature_step", &O::temperature_step)
        .at_least(0)
        .doc("added in every later round")
        .number("threshold", &O::threshold)
        .doc("least score of an accepted answer")
        .numbers("reward_weights", &O::reward_weights)
        .doc("of the reward's scores, in their order, in the sum that is compared; empty: the first score alone")
        .string("unsolved", &O::unsolved)
        .one_of({"drop", "label"})
        .doc("prompts without an accepted answer: left out, or with the label that they have");
  }

  void write(const retort::StageContext& context, const fs::path& input, const fs::path& output,
             const task::Split& train, const stages::RftResult& result) const {
    task::write_split(output / "train.jsonl", result.rows);
    std::vector<task::RejectedRow> rejected = train.rejected;
    rejected.insert(rejected.end(), result.rejected.begin(), result.rejected.end());
    for (task::RejectedRow& row : task::pass_on_held_out(input, output, params_.max_rejected_share))
      rejected.push_back(std::move(row));
    if (!rejected.empty()) task::write_rejected(output / "rejected.jsonl", rejected);
    retort::host::write_file_atomically(output / "tools.json", retort::host::read_file(input / "tools.json"));
    context.fact("rejected", std::to_string(rejected.size()));
  }

  static void record(const retort::StageContext& context, const stages::RftResult& result) {
    const auto fact = [&](const char* name, std::int64_t count) { context.fact(name, std::to_string(count)); };
    fact("accepted", static_cast<std::int64_t>(result.rows.size()));
    fact("sampled", result.sampled);
    fact("malformed", result.malformed);
    fact("duplicates", result.duplicates);
    fact("unscored", result.unscored);
    fact("refused", result.refused);
    fact("solved_prompts", result.solved);
    for (std::size_t round = 0; round < result.solved_by_round.size(); ++round)
      context.metric("solved_prompts", static_cast<std::int64_t>(round),
                     static_cast<double>(result.solved_by_round[round]));
    retort::log_info("stage.rft: " + std::to_string(result.rows.size()) + " rows from " +
                     std::to_string(result.sampled) + " answers; " + std::to_string(result.rejected.size()) +
                     " prompts left without");
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(RftStage, "stage.rft", "1.1.0", "samples answers of a model and keeps what a reward accepts");
