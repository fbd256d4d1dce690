// ABI glue of stage.synthesize: reads tools, lets the teacher write rows, writes the dataset folder.
#include <retort/abi/environment.h>
#include <retort/abi/teacher.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "data/split_choice.h"
#include "host/algorithm/environment_call.h"
#include "host/algorithm/teacher_call.h"
#include "host/base/json.h"
#include "synthesize.h"
#include "task/dataset.h"

namespace {

namespace data = retort::data;
namespace fs = std::filesystem;
namespace stages = retort::stages;
namespace task = retort::task;
using retort::host::EnvironmentCall, retort::host::EnvironmentSession, retort::host::TeacherCall;

template <typename Call, typename Table>
std::shared_ptr<Call> made_of(const retort::BoundComponent& component) {
  return std::make_shared<Call>(std::string(component.id()), component.instance(), component.functions<Table>());
}

class SynthesizeStage final : public retort::Stage {
 public:
  struct Params {
    std::string tools, values;
    std::int64_t rows = 1000;
    double single = 0.4, parallel = 0.15, multi_step = 0.1, missing_argument = 0.1, no_call = 0.15, text_reply = 0.1;
    std::vector<std::string> personas, topics, attributes;
    std::int64_t least_distractors = 1, most_distractors = 4;
    double masked_share = 0.0, shuffled_share = 1.0, temperature = 1.0;
    std::string single_prompt, parallel_prompt, multi_step_prompt, missing_argument_prompt, no_call_prompt,
        text_reply_prompt, utterance_prompt, answer_prompt, result_prompt;
    std::int64_t attempts = 3, batch_size = 64, seed = 0;
    double validation_share = 0.05, test_share = 0.05, max_given_up_share = 0.5;
  };
  static auto schema() {
    auto parameters = retort::params<Params>();
    what_is_written(parameters);
    how_it_is_asked(parameters);
    what_becomes_of_it(parameters);
    return parameters;
  }
  explicit SynthesizeStage(const Params& params) : params_(params) {
    if (params_.most_distractors < params_.least_distractors)
      throw std::invalid_argument("most_distractors: expected at least least_distractors, " +
                                  std::to_string(params_.least_distractors) + ", found " +
                                  std::to_string(params_.most_distractors));
  }

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("dataset")
            .slot("teacher", RETORT_TEACHER_INTERFACE, "invents tasks and messages, and answers them")
            .slot("environment", RETORT_ENVIRONMENT_INTERFACE,
                  "gives the tools where \"tools\" names none, and executes the calls", RETORT_SLOT_OPTIONAL);
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    try {
      const stages::SynthesisOptions options = options_of(context);
      stages::kinds_of_rows(options.quotas, stages::possible_kinds(options.tools), options.rows, 0);
      return {};
    } catch (const std::exception& error) {
      return {error.what()};
    }
  }

  void run(const retort::StageContext& context) override {
    stages::SynthesisOptions options = options_of(context);
    stages::AnswerJournal journal(fs::path(context.work_folder()) / "answers.jsonl");
    if (journal.size() > 0)
      retort::log_info("stage.synthesize: " + std::to_string(journal.size()) +
                       " answers are known from an earlier run");
    options.journal = &journal;
    const fs::path output = context.output_folder();
    std::vector<std::ofstream> splits;
    for (const char* name : {"train.jsonl", "validation.jsonl", "test.jsonl"})
      splits.emplace_back(output / name, std::ios::binary);
    std::ofstream rejected(output / "rejected.jsonl", std::ios::binary);
    data::StratifiedChoice choice({params_.validation_share, params_.test_share}, options.seed);
    const auto report = stages::synthesize(
        options, components_of(context),
        [&](std::size_t, const task::Conversation& row) {
          const auto split = choice.next(row.metadata.value("kind", ""));
          splits[static_cast<std::size_t>(split)] << task::to_line(task::to_row(row));
        },
        [&](std::size_t row, const std::string& reason, const std::string& text) {
          rejected << task::to_line(task::RejectedRow{static_cast<std::int64_t>(row + 1), "train: " + reason, text});
        },
        [&](std::size_t done) {
          retort::throw_if_stopped();
          context.progress("synthesize", static_cast<std::int64_t>(done), params_.rows, "rows");
        });
    splits.push_back(std::move(rejected));
    for (std::ofstream& file : splits) {
      file.close();
      if (!file) throw std::runtime_error("cannot write into '" + output.string() + "'");
    }
    retort::host::write_json(output / "tools.json", task::tools_to_json(options.tools));
    say(context, report);
    expect_enough(context, report);
  }

 private:
  static void what_is_written(retort::ParameterSet<Params>& parameters) {
    parameters.string("tools", &Params::tools)
        .existing_path()
        .doc("tools.json; empty: the environment's")
        .string("values", &Params::values)
        .existing_path()
        .doc("JSON file of values that arguments are drawn from: {\"argument\" or \"tool.argument\": [values]}")
        .integer("rows", &Params::rows)
        .at_least(1)
        .unit("rows")
        .doc("wanted; those without a good try are left out")
        .number("single", &Params::single)
        .at_least(0)
        .doc("share of rows that one call answers")
        .number("parallel", &Params::parallel)
        .at_least(0)
        .doc("share of rows that several calls at once answer")
        .number("multi_step", &Params::multi_step)
        .at_least(0)
        .doc("share of rows where a call needs an earlier one's result")
        .number("missing_argument", &Params::missing_argument)
        .at_least(0)
        .doc("share of rows that lack what a tool needs: the answer asks back")
        .number("no_call", &Params::no_call)
        .at_least(0)
        .doc("share of rows that no tool fits: the answer is empty")
        .number("text_reply", &Params::text_reply)
        .at_least(0)
        .doc("share of rows that are answered with text")
        .strings("personas", &Params::personas)
        .doc("who speaks; one is drawn for each row")
        .strings("topics", &Params::topics)
        .doc("what it is about")
        .strings("attributes", &Params::attributes)
        .doc("how it is said, in which situation or language")
        .integer("least_distractors", &Params::least_distractors)
        .at_least(0)
        .doc("tools offered beside those to call")
        .integer("most_distractors", &Params::most_distractors)
        .at_least(0)
        .doc("the same, at most")
        .number("masked_share", &Params::masked_share)
        .at_least(0)
        .at_most(1)
        .doc(
            "of rows whose tools and arguments get names that say nothing (Hammer, arXiv 2410.04587); only the "
            "described")
        .number("shuffled_share", &Params::shuffled_share)
        .at_least(0)
        .at_most(1)
        .doc("of rows whose tools stand in another order than first those to call");
  }
  static void how_it_is_asked(retort::ParameterSet<Params>& parameters) {
    const auto prompt = [&](const char* name, std::string Params::* field, const char* what) {
      parameters.string(name, field).doc(what);
    };
    prompt("single_prompt", &Params::single_prompt,
           "asks for the task of a single call, with {persona}, {topic}, {attribute}, {tools} and {values} put in; "
           "empty: a text in English");
    prompt("parallel_prompt", &Params::parallel_prompt, "the same for parallel calls; empty: a text in English");
    prompt("multi_step_prompt", &Params::multi_step_prompt, "the same for several steps; empty: a text in English");
    prompt("missing_argument_prompt", &Params::missing_argument_prompt,
           "the same for a missing argument, {missing}; empty: a text in English");
    prompt("no_call_prompt", &Params::no_call_prompt, "the same for what no tool can do; empty: a text in English");
    prompt("text_reply_prompt", &Params::text_reply_prompt,
           "the same for what needs no tool; empty: a text in English");
    prompt("utterance_prompt", &Params::utterance_prompt,
           "asks for what the person types, of {task}; empty: a text in English");
    prompt("answer_prompt", &Params::answer_prompt,
           "system text of the request that is answered with calls; empty: a text in English");
    prompt("result_prompt", &Params::result_prompt,
           "asks for the result of {call} where no environment executes; empty: a text in English");
    parameters.number("temperature", &Params::temperature)
        .at_least(0)
        .doc("of tasks and messages; answers are asked for at 0");
  }
  static void what_becomes_of_it(retort::ParameterSet<Params>& parameters) {
    parameters.integer("attempts", &Params::attempts)
        .at_least(1)
        .doc("tries of a row, each with other draws")
        .integer("batch_size", &Params::batch_size)
        .at_least(1)
        .unit("rows")
        .doc("asked for at once")
        .integer("seed", &Params::seed)
        .at_least(0)
        .doc("of all draws; 0 takes the stage's own seed")
        .number("validation_share", &Params::validation_share)
        .at_least(0)
        .at_most(0.5)
        .doc("of the rows, stratified by kind")
        .number("test_share", &Params::test_share)
        .at_least(0)
        .at_most(0.5)
        .doc("of the rows, stratified by kind")
        .number("max_given_up_share", &Params::max_given_up_share)
        .at_least(0)
        .at_most(1)
        .doc("the run stops as soon as it is certain that a larger share of the rows has no good try");
  }

  stages::Prompts prompts() const {
    stages::Prompts prompts = stages::default_prompts();
    const auto set = [](std::string& prompt, const std::string& given) {
      if (!given.empty()) prompt = given;
    };
    set(prompts.task[stages::RowKind::single], params_.single_prompt);
    set(prompts.task[stages::RowKind::parallel], params_.parallel_prompt);
    set(prompts.task[stages::RowKind::multi_step], params_.multi_step_prompt);
    set(prompts.task[stages::RowKind::missing_argument], params_.missing_argument_prompt);
    set(prompts.task[stages::RowKind::no_call], params_.no_call_prompt);
    set(prompts.task[stages::RowKind::text_reply], params_.text_reply_prompt);
    set(prompts.utterance, params_.utterance_prompt);
    set(prompts.answer, params_.answer_prompt);
    set(prompts.result, params_.result_prompt);
    return prompts;
  }
  stages::SynthesisOptions options_of(const retort::StageContext& context) const {
    stages::SynthesisOptions options;
    options.tools = tools_of(context);
    options.samplers.personas = params_.personas;
    options.samplers.topics = params_.topics;
    options.samplers.attributes = params_.attributes;
    options.samplers.least_distractors = static_cast<std::size_t>(params_.least_distractors);
    options.samplers.most_distractors = static_cast<std::size_t>(params_.most_distractors);
    if (!params_.values.empty())
      options.samplers.values = stages::values_from_json(retort::host::read_json(params_.values));
    options.quotas = {params_.single,           params_.parallel, params_.multi_step,
                      params_.missing_argument, params_.no_call,  params_.text_reply};
    options.prompts = prompts();
    options.rows = static_cast<std::size_t>(params_.rows);
    options.masked_share = params_.masked_share;
    options.shuffled_share = params_.shuffled_share;
    options.temperature = params_.temperature;
    options.attempts = params_.attempts;
    options.batch_size = static_cast<std::size_t>(params_.batch_size);
    options.given_up_share = params_.max_given_up_share;
    options.seed = params_.seed == 0 ? context.seed() : static_cast<std::uint64_t>(params_.seed);
    return options;
  }
  std::vector<task::Tool> tools_of(const retort::StageContext& context) const {
    std::vector<task::Tool> tools;
    const auto slot = context.slot("environment");
    if (!params_.tools.empty())
      tools = task::read_tools(params_.tools);
    else if (slot)
      tools =
          task::tools_from_json(made_of<EnvironmentCall, retort_environment_v1>(*slot)->tools(), "environment: tools");
    else
      throw std::invalid_argument("tools: expected a file, or an environment that has tools, found neither");
    if (tools.empty()) throw std::invalid_argument("tools: expected one at least, found none");
    return tools;
  }
  static stages::SynthesisComponents components_of(const retort::StageContext& context) {
    const auto teacher = made_of<TeacherCall, retort_teacher_v1>(context.slot("teacher").value());
    stages::SynthesisComponents components;
    components.complete = [teacher](auto... arguments) { teacher->complete(arguments...); };
    if (const auto slot = context.slot("environment")) {
      const auto world = made_of<EnvironmentCall, retort_environment_v1>(*slot);
      components.start = [world] {
        const auto session = std::make_shared<EnvironmentSession>(*world);
        return [world, session](const nlohmann::json& calls) { return session->execute(calls); };
      };
    }
    return components;
  }
  void say(const retort::StageContext& context, const stages::SynthesisReport& report) const {
    std::string text = "stage.synthesize:";
    for (const auto& [kind, count] : report.kept) {
      text += " " + kind + " " + std::to_string(count);
      context.fact("kept_" + kind, std::to_string(count));
    }
    for (const auto& [step, count] : report.rejected) {
      text += "; " + std::to_string(count) + " tries rejected at " + step;
      context.fact("rejected_" + step, std::to_string(count));
    }
    context.fact("masked", std::to_string(report.masked));
    context.fact("given_up", std::to_string(report.given_up));
    text += "; teacher: " + report.cost.text();
    if (report.given_up > 0) text += "; " + std::to_string(report.given_up) + " rows given up";
    retort::log_info(text + (report.rejected.empty() ? "" : "; rejected.jsonl has them"));
  }

  /// Throws where too many rows were given up; what was rejected stays in the work folder then.
  void expect_enough(const retort::StageContext& context, const stages::SynthesisReport& report) const {
    const auto rows = static_cast<double>(params_.rows);
    if (static_cast<double>(report.given_up) <= params_.max_given_up_share * rows && !report.kept.empty()) return;
    const fs::path kept = fs::path(context.work_folder()) / "rejected.jsonl";
    fs::copy_file(fs::path(context.output_folder()) / "rejected.jsonl", kept, fs::copy_options::overwrite_existing);
    throw std::runtime_error("stage.synthesize: " + std::to_string(report.given_up) + " of " +
                             std::to_string(report.tried) + " rows have no good try, and max_given_up_share allows " +
                             nlohmann::json(params_.max_given_up_share).dump() + " of " + std::to_string(params_.rows) +
                             "; the first: " + report.first_reason + "; '" + kept.string() +
                             "' has all; see to the teacher and the prompts");
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(SynthesizeStage, "stage.synthesize", "1.0.0",
              "data from tools alone: a teacher invents tasks, says them as people would, and answers with calls");
