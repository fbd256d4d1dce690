// ABI glue of stage.prototype: reads the dataset, labels its train split, writes the dataset folder.
#include <retort/abi/environment.h>
#include <retort/abi/reward.h>
#include <retort/abi/teacher.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/algorithm/environment_call.h"
#include "host/algorithm/reward_call.h"
#include "host/algorithm/teacher_call.h"
#include "host/base/files.h"
#include "prototype.h"
#include "task/dataset.h"
#include "task/example_file.h"

namespace {

namespace fs = std::filesystem;
namespace stages = retort::stages;
namespace task = retort::task;

template <typename Call, typename Table>
std::shared_ptr<Call> call_of(const retort::BoundComponent& component) {
  return std::make_shared<Call>(std::string(component.id()), component.instance(), component.functions<Table>());
}

stages::PrototypeComponents components_of(const retort::StageContext& context) {
  using retort::host::EnvironmentCall, retort::host::RewardCall, retort::host::TeacherCall;
  const auto teacher = call_of<TeacherCall, retort_teacher_v1>(context.slot("teacher").value());
  const auto reward = call_of<RewardCall, retort_reward_v1>(context.slot("reward").value());
  stages::PrototypeComponents components;
  components.complete = [teacher](auto... arguments) { teacher->complete(arguments...); };
  for (const retort::BoundComponent& slot : context.slots("teachers")) {
    const auto other = call_of<TeacherCall, retort_teacher_v1>(slot);
    components.teachers.emplace_back([other](auto... arguments) { other->complete(arguments...); });
  }
  components.score = [reward](auto... arguments) { reward->score(arguments...); };
  if (const auto slot = context.slot("environment")) {
    const auto world = call_of<EnvironmentCall, retort_environment_v1>(*slot);
    components.execute = [world](const nlohmann::json& calls) { return world->execute_once(calls); };
  }
  return components;
}

class PrototypeStage final : public retort::Stage {
 public:
  struct FunctionParams {
    std::string name, kind, prompt;
    std::int64_t teacher = 0, samples = 1, repairs = 1;
    std::vector<std::string> tools, when;
  };
  struct Params {
    double threshold = 1.0;
    std::string reference = "none";
    std::vector<FunctionParams> functions;
    bool check_schema = true;
    double least_solve_rate = 0.0, most_solve_rate = 1.0;
    std::int64_t preview = 0;
    std::int64_t batch_size = 256;
    double max_rejected_share = 0.5;
    double max_unreadable_share = 0.1;
  };
  static retort::ParameterSet<FunctionParams> function_schema() {
    return retort::params<FunctionParams>()
        .string("name", &FunctionParams::name)
        .doc("for the \"when\" of later functions; empty: its kind")
        .string("kind", &FunctionParams::kind)
        .one_of({"rewrite", "route", "call", "execute", "repair", "answer"})
        .required()
        .doc(
            "rewrite the request, route it to some of the tools, call them, execute the calls, repair what failed, "
            "answer")
        .string("prompt", &FunctionParams::prompt)
        .doc("with {utterance}, {tools}, {calls}, {results}, {error}; empty: a text of its own, in English")
        .integer("teacher", &FunctionParams::teacher)
        .at_least(0)
        .doc("0: \"teacher\"; 1: the first of \"teachers\"")
        .strings("tools", &FunctionParams::tools)
        .doc("names of those it may use; none: all that route left")
        .integer("samples", &FunctionParams::samples)
        .at_least(1)
        .at_most(255)
        .doc("of call: independent answers that vote; the row keeps the share that agrees as its solve rate")
        .integer("repairs", &FunctionParams::repairs)
        .at_least(0)
        .at_most(255)
        .doc("of repair: tries at most; 0: none")
        .strings("when", &FunctionParams::when)
        .doc("NAME=RESULT or NAME!=RESULT of functions before it, all of which must hold: as call=text");
  }
  static auto schema() {
    return retort::params<Params>()
        .number("threshold", &Params::threshold)
        .at_least(0)
        .at_most(1)
        .doc("least score of a row that is kept")
        .string("reference", &Params::reference)
        .one_of({"none", "label"})
        .doc("label: judge the teacher against the calls that a row already has")
        .objects("functions", &Params::functions, function_schema())
        .doc("what the prototype does with a row, in order; none: one call")
        .boolean("check_schema", &Params::check_schema)
        .doc("rejects calls that the tools' schemas do not allow, before the reward is asked")
        .number("least_solve_rate", &Params::least_solve_rate)
        .at_least(0)
        .at_most(1)
        .doc("of rows that are kept: share of the samples that agree; less says that the row is too hard to trust")
        .number("most_solve_rate", &Params::most_solve_rate)
        .at_least(0)
        .at_most(1)
        .doc("likewise; more says that the row is too easy to teach")
        .integer("preview", &Params::preview)
        .at_least(0)
        .unit("rows")
        .doc("does so many rows alone and says what all would cost; 0: all rows")
        .integer("batch_size", &Params::batch_size)
        .at_least(1)
        .unit("rows")
        .doc("sent to the teacher at once")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("the run stops as soon as it is certain that a larger share of the rows is rejected")
        .number("max_unreadable_share", &Params::max_unreadable_share)
        .at_least(0)
        .at_most(1)
        .doc(
            "the run stops, before the teacher is asked, when a larger share of the validation or the test rows is "
            "bad; "
            "bad rows go to rejected.jsonl");
  }
  explicit PrototypeStage(const Params& params) : params_(params) {
    if (params_.most_solve_rate < params_.least_solve_rate)
      throw std::invalid_argument("most_solve_rate: expected at least least_solve_rate");
  }

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("dataset")
            .input("dataset", "dataset", "utterances to label; a labelled row's calls are its recorded answer")
            .slot("teacher", RETORT_TEACHER_INTERFACE, "answers the utterances")
            .slot("teachers", RETORT_TEACHER_INTERFACE, "further ones, for functions that name them",
                  RETORT_SLOT_OPTIONAL | RETORT_SLOT_LIST)
            .slot("reward", RETORT_REWARD_INTERFACE, "judges the answers")
            .slot("environment", RETORT_ENVIRONMENT_INTERFACE, "executes the answers", RETORT_SLOT_OPTIONAL);
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    std::vector<std::string> findings;
    try {
      stages::expect_functions(functions(), 1 + context.slots("teachers").size(),
                               context.slot("environment").has_value());
    } catch (const std::invalid_argument& error) {
      findings.emplace_back(error.what());
    }
    const auto reward = call_of<retort::host::RewardCall, retort_reward_v1>(context.slot("reward").value());
    const retort::host::ScoreName& first = reward->names().front();
    if (first.maximum && *first.maximum < params_.threshold)
      findings.push_back("reward: its highest \"" + first.name + "\" is " + std::to_string(*first.maximum) +
                         ", below the threshold " + std::to_string(params_.threshold) + ": no row would be kept");
    return findings;
  }

  void run(const retort::StageContext& context) override {
    const fs::path input = context.input_folder("dataset"), output = context.output_folder();
    const fs::path unreadable = fs::path(context.work_folder()) / "unreadable.jsonl";
    const TrainRows train = look_at(input / "train.jsonl", unreadable);
    const std::int64_t rows = params_.preview > 0 ? std::min(params_.preview, train.examples) : train.examples;
    const std::vector<task::RejectedRow> held_out = pass_on_held_out(input, output);
    stages::AnswerJournal journal(fs::path(context.work_folder()) / "answers.jsonl");
    if (journal.size() > 0)
      retort::log_info("stage.prototype: " + std::to_string(journal.size()) + " answers are known from an earlier run");
    stages::LabelCounts labelled;
    Outcome outcome;
    retort::host::write_file_atomically(output / "train.jsonl", [&](int accepted) {
      retort::host::write_file_atomically(output / "rejected.jsonl", [&](int rejected) {
        task::LineWriter to_train(accepted), to_rejected(rejected);
        labelled = label(context, journal, rows, train.unreadable, to_train, to_rejected, outcome);
        task::RowFile unread(unreadable);
        for (std::string line; unread.next(line);) to_rejected.add(line + "\n");
        for (const task::RejectedRow& row : held_out) to_rejected.add(task::to_line(row));
        to_train.flush();
        to_rejected.flush();
      });
    });
    outcome.tally.add(train.tally);
    say(outcome.tally);
    say_cost(context, labelled.cost, rows, train.examples);
    if (outcome.first_reason.empty()) outcome.first_reason = train.first_reason;
    require_enough(context, labelled, train.unreadable, rows, outcome.first_reason);
    retort::host::write_file_atomically(output / "tools.json", retort::host::read_file(input / "tools.json"));
    report(context, labelled, train.unreadable);
    if (train.unreadable > 0) context.fact("rejected_unreadable", std::to_string(train.unreadable));
    if (!held_out.empty()) context.fact("rejected_held_out", std::to_string(held_out.size()));
  }

 private:
  /// What a pass over the rows finds before anything is asked.
  struct TrainRows {
    std::int64_t examples = 0, unreadable = 0;
    task::RowTally tally;  ///< of the rows that cannot be read, and what reading converted
    std::string first_reason;
  };
  /// What became of the rows, for the console.
  struct Outcome {
    task::RowTally tally;
    std::int64_t rejected = 0;
    std::string first_reason;  ///< of a rejection
  };

  /// Throws std::runtime_error where too many rows cannot be read; these go to `unreadable`.
  TrainRows look_at(const fs::path& file, const fs::path& unreadable) const {
    TrainRows train;
    std::vector<task::RejectedRow> first;
    retort::host::write_file_atomically(unreadable, [&](int descriptor) {
      task::LineWriter writer(descriptor);
      task::ExampleFile rows(file, task::Turns::all, [&](const task::RejectedRow& row) {
        constexpr std::size_t shown = 3;
        train.tally.reject(row.reason);
        ++train.unreadable;
        writer.add(task::to_line(row));
        if (first.size() < shown) first.push_back(row);
      });
      for (task::Example example; rows.next(example);) {
        ++train.examples;
        if (train.examples % 1024 == 0) retort::throw_if_stopped();
      }
      writer.flush();
      train.tally.add(rows.tally().notes());
      task::expect_usable(file, rows.tally(), first, params_.max_rejected_share);
    });
    if (!first.empty()) train.first_reason = first.front().reason;
    return train;
  }

  /// Ends before the last of `rows` where too many are rejected, whatever comes: the others are not paid for.
  stages::LabelCounts label(const retort::StageContext& context, stages::AnswerJournal& journal, std::int64_t rows,
                            std::int64_t unreadable, task::LineWriter& to_train, task::LineWriter& to_rejected,
                            Outcome& outcome) const {
    const fs::path input = context.input_folder("dataset");
    const stages::PrototypeOptions options{params_.threshold,
                                           params_.reference == "label",
                                           static_cast<std::size_t>(params_.batch_size),
                                           &journal,
                                           functions(),
                                           params_.check_schema,
                                           params_.least_solve_rate,
                                           params_.most_solve_rate};
    task::ExampleFile file(input / "train.jsonl", task::Turns::all);
    std::int64_t given = 0;
    stages::RowStream stream;
    bool hopeless = false;
    stream.next = [&](task::Example& example) { return !hopeless && given++ < rows && file.next(example); };
    stream.accept = [&](const task::Example& row) {
      to_train.add(task::to_line(task::to_row(row)));
      outcome.tally.keep();
    };
    stream.reject = [&](const task::RejectedRow& row) {
      to_rejected.add(task::to_line(row));
      outcome.tally.reject(row.reason);
      ++outcome.rejected;
      if (outcome.first_reason.empty()) outcome.first_reason = row.reason;
    };
    stream.progress = [&](std::size_t done) {
      retort::throw_if_stopped();
      context.progress("label", static_cast<std::int64_t>(done), rows, "rows");
      hopeless = too_many(outcome.rejected + unreadable, rows + unreadable);
    };
    return stages::label(stream, task::read_tools(input / "tools.json"), components_of(context), options);
  }

  static void report(const retort::StageContext& context, const stages::LabelCounts& labelled,
                     std::int64_t unreadable) {
    const std::int64_t accepted = labelled.accepted, rejected = labelled.rejected + unreadable;
    context.fact("accepted", std::to_string(accepted));
    context.fact("rejected", std::to_string(rejected));
    for (const auto& [kind, count] : labelled.rejected_by) context.fact("rejected_" + kind, std::to_string(count));
    context.fact("funnel_rows", std::to_string(labelled.rows));
    for (const char* step : stages::funnel_steps)
      context.fact(std::string("funnel_") + step, std::to_string(labelled.funnel.at(step)));
    context.metric(
        "accepted_share", -1,
        static_cast<double>(labelled.rows - labelled.rejected) / static_cast<double>(labelled.rows + unreadable));
  }

  std::vector<stages::Function> functions() const {
    std::vector<stages::Function> all;
    for (const FunctionParams& one : params_.functions)
      all.push_back({one.name.empty() ? one.kind : one.name, one.kind, one.prompt,
                     static_cast<std::size_t>(one.teacher), one.tools, one.samples, one.repairs, one.when});
    return all;
  }

  /// Nothing where the teachers do not say what they cost.
  static void say_cost(const retort::StageContext& context, const stages::TeacherCost& cost, std::int64_t rows,
                       std::int64_t all_rows) {
    if (cost.requests + cost.cached > 0) {
      retort::log_info("stage.prototype: " + cost.text());
      context.fact("teacher_requests", std::to_string(cost.requests));
      context.fact("teacher_answers_kept_from_earlier", std::to_string(cost.cached));
      context.fact("teacher_input_tokens", std::to_string(cost.input_tokens));
      context.fact("teacher_output_tokens", std::to_string(cost.output_tokens));
      context.fact("teacher_usd", nlohmann::json(cost.usd).dump());
    }
    if (rows == all_rows || rows == 0) return;
    const double share = static_cast<double>(all_rows) / static_cast<double>(rows);
    const auto times = [&](std::int64_t count) {
      return std::to_string(static_cast<std::int64_t>(static_cast<double>(count) * share + 0.5));
    };
    context.fact("preview_rows", std::to_string(rows));
    context.fact("preview_of_rows", std::to_string(all_rows));
    context.fact("preview_whole_usd", nlohmann::json(cost.usd * share).dump());
    retort::log_info("stage.prototype: preview of " + std::to_string(rows) + " of " + std::to_string(all_rows) +
                     " rows; all of them would take about " + times(cost.requests) + " requests, " +
                     times(cost.input_tokens) + " input and " + times(cost.output_tokens) + " output tokens, " +
                     nlohmann::json(cost.usd * share).dump() + " USD" +
                     (cost.cached > 0 ? "; answers kept from earlier are left out of this" : ""));
  }

  /// How many rows of the train split were kept and why the others were not: always, and on the console.
  static void say(const task::RowTally& tally) {
    const std::string text = tally.summary("stage.prototype: train");
    if (tally.rejected() > 0)
      retort::log_warning(text + "; rejected.jsonl has them");
    else
      retort::log_info(text);
  }

  /// Returns the rows of validation and test that were left out.
  std::vector<task::RejectedRow> pass_on_held_out(const fs::path& input, const fs::path& output) const {
    std::vector<task::RejectedRow> rejected = task::pass_on_held_out(input, output, params_.max_unreadable_share);
    if (!rejected.empty())
      retort::log_warning("stage.prototype: " + std::to_string(rejected.size()) +
                          " validation or test rows cannot be used; rejected.jsonl says why");
    return rejected;
  }

  bool too_many(std::int64_t rejected, std::int64_t rows) const {
    return static_cast<double>(rejected) > params_.max_rejected_share * static_cast<double>(rows);
  }

  /// Throws where too few of `asked` rows were kept; what was rejected stays in the work folder then.
  void require_enough(const retort::StageContext& context, const stages::LabelCounts& labelled, std::int64_t unreadable,
                      std::int64_t asked, const std::string& first) const {
    const std::int64_t rejected = labelled.rejected + unreadable, rows = labelled.rows + unreadable;
    const bool many = too_many(rejected, asked + unreadable);
    if (labelled.accepted > 0 && !many) return;
    if (rows == 0) throw std::runtime_error("stage.prototype: the dataset has no rows to label");
    const fs::path kept = fs::path(context.work_folder()) / "rejected.jsonl";
    fs::copy_file(fs::path(context.output_folder()) / "rejected.jsonl", kept, fs::copy_options::overwrite_existing);
    const std::int64_t left = asked - labelled.rows;
    throw std::runtime_error(
        "stage.prototype: " + std::to_string(rejected) + " of " + std::to_string(rows) + " rows were rejected" +
        (left > 0 ? " and " + std::to_string(left) + " more are not asked about" : "") + ", expected " +
        (many ? "a share of at most " + nlohmann::json(params_.max_rejected_share).dump()
              : "one at least to be accepted") +
        "; the first: " + first + "; '" + kept.string() + "' has them; see to the teacher" +
        (many ? ", or raise max_rejected_share" : ", the reward or the environment"));
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(PrototypeStage, "stage.prototype", "1.1.0",
              "labels utterances with functions of teachers and keeps what passes every check");
