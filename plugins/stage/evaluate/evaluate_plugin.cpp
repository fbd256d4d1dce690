// stage.evaluate: runs models on a labelled split, one after the other, through the inference that serves them.
#include <algorithm>
#include <filesystem>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "evaluation_report.h"
#include "host/base/json.h"
#include "runtime/generate/call_model.h"
#include "runtime/measure/evaluation.h"
#include "runtime/measure/forced_answers.h"
#include "runtime/measure/row_groups.h"
#include "task/dataset.h"

namespace {

using retort::StageContext;
using retort::stages::MeasuredModel;
using retort::stages::ReportSubject;

class Evaluate : public retort::Stage {
 public:
  struct Params {
    std::string split = "test";
    std::string turns = "last";
    std::int64_t limit = 0;
    std::int64_t threads = 1;
    double max_rejected_share = 0.1;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("split", &Params::split)
        .doc("split of the dataset to answer")
        .string("turns", &Params::turns)
        .one_of({"last", "all"})
        .doc("which assistant turns of a conversation are asked for")
        .integer("limit", &Params::limit)
        .at_least(0)
        .unit("utterance")
        .doc("answer only the first so many labelled utterances; 0: all")
        .integer("threads", &Params::threads)
        .at_least(1)
        .doc("threads of the inference; the latencies that are reported depend on it")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("the run stops when a larger share of the split's rows is bad; the others are answered without them");
  }

  explicit Evaluate(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("report")
            .input("models", "model", "models to compare, in the order in which they were made", RETORT_INPUT_LIST)
            .input("dataset", "dataset", "labelled utterances");
    return shape;
  }

  void run(const StageContext& context) override {
    const ReportSubject subject = read_subject(context);
    std::vector<MeasuredModel> models;
    for (std::uint64_t i = 0; i < context.input_count("models"); ++i) models.push_back(measure(context, i, subject));
    const auto report = retort::stages::evaluation_report(subject, models);
    retort::host::write_json(std::filesystem::path(context.output_folder()) / "evaluation.json", report);
    record(context, report);
  }

 private:
  ReportSubject read_subject(const StageContext& context) const {
    const auto file = std::filesystem::path(context.input_folder("dataset")) / (params_.split + ".jsonl");
    ReportSubject subject{context.input_name("dataset"), params_.split, {}};
    const auto turns = params_.turns == "all" ? retort::task::Turns::all : retort::task::Turns::last;
    const retort::task::Split split = retort::task::read_split(file, params_.max_rejected_share, turns);
    const auto training = retort::runtime::TrainingValues::read(context.input_folder("dataset"));
    for (const auto& example : split.examples) {
      if (params_.limit > 0 && static_cast<std::int64_t>(subject.data.size()) == params_.limit) break;
      if (example.calls)
        subject.data.push_back(
            {example.utterance(), *example.calls, example, retort::runtime::groups_of(example, training)});
    }
    if (!split.rejected.empty()) {
      context.fact("rejected", std::to_string(split.rejected.size()));
      retort::task::write_rejected(std::filesystem::path(context.output_folder()) / "rejected.jsonl", split.rejected);
      retort::log_warning(split.tally.summary("stage.evaluate: " + params_.split) + "; rejected.jsonl has them");
    }
    if (subject.data.empty())
      throw std::invalid_argument(file.string() + ": expected labelled utterances, found none among " +
                                  std::to_string(split.examples.size()) +
                                  " rows; label the split first, or name another with \"split\"");
    count_impossible(context, subject);
    return subject;
  }

  /// Labels that the tools do not allow: no model can make them, so they count as wrong, and that is said.
  static void count_impossible(const StageContext& context, ReportSubject& subject) {
    const auto file = std::filesystem::path(context.input_folder("dataset")) / "tools.json";
    if (!std::filesystem::exists(file)) return;
    const std::vector<retort::task::Tool> tools = retort::task::read_tools(file);
    std::string first;
    std::size_t labels = 0;
    for (const auto& row : subject.data) {
      const auto& allowed = row.conversation.tools ? *row.conversation.tools : tools;
      labels += row.calls.empty() ? 0 : 1;
      for (const auto& call : row.calls) {
        const auto reason = retort::task::invalid_reason(call, allowed);
        if (!reason) continue;
        if (first.empty()) first = "\"" + row.utterance + "\": " + *reason;
        ++subject.impossible;
        break;
      }
    }
    if (subject.impossible == 0) return;
    const std::string found = std::to_string(subject.impossible) + " of " + std::to_string(subject.data.size()) +
                              " rows have labels that no tool allows; the first: " + first;
    if (static_cast<std::size_t>(subject.impossible) == labels)
      throw std::invalid_argument(found + ". No model could make one call of this split: see to the labels or to " +
                                  file.string());
    context.fact("impossible", std::to_string(subject.impossible));
    retort::log_warning("stage.evaluate: " + found + ". They count as wrong");
  }

  MeasuredModel measure(const StageContext& context, std::uint64_t index, const ReportSubject& subject) const {
    const std::string name = context.input_name("models", index), folder = context.input_folder("models", index);
    retort::throw_if_stopped();
    try {
      retort::runtime::DecoderOptions options;
      options.threads = params_.threads;
      retort::runtime::CallModel model(folder, options);
      MeasuredModel measured{name, model.folder().config().parameters(), model.folder().weight_bytes(), {}, {}};
      measured.evaluation = evaluate(model, subject.data, [&](std::int64_t done, std::int64_t total) {
        context.progress(name, done, total, "utterance");
        return !retort::should_stop();
      });
      measured.forced = forced_answers(model, name, subject);
      return measured;
    } catch (const std::exception& error) {
      if (retort::should_stop()) throw retort::Stopped();
      throw std::runtime_error("model '" + name + "' (" + folder + ") cannot be evaluated: " + error.what());
    }
  }

  /// What no form can write is no mistake of the model's: such a model has no perplexity, which is said.
  static std::optional<retort::runtime::ForcedAnswers> forced_answers(retort::runtime::CallModel& model,
                                                                      const std::string& name,
                                                                      const ReportSubject& subject) {
    try {
      return force_answers(model, subject.data, [](std::int64_t, std::int64_t) { return !retort::should_stop(); });
    } catch (const std::invalid_argument& error) {
      retort::log_warning("model '" + name + "' has no perplexity: " + error.what());
      return std::nullopt;
    }
  }

  static void record(const StageContext& context, const nlohmann::json& report) {
    nlohmann::json summary = nlohmann::json::array();
    for (nlohmann::json model : report.at("models")) {
      const std::string name = model.at("name");
      for (const char* figure : {"parameters", "bytes", "exact_match", "malformed", "p50_ms", "p90_ms", "p99_ms"})
        context.metric(name + "/" + figure, -1, model.at(figure).get<double>());
      if (model.at("perplexity").is_number()) context.metric(name + "/perplexity", -1, model.at("perplexity"));
      model.erase("misses");
      model.erase("tools");
      model.erase("groups");
      summary.push_back(std::move(model));
    }
    context.fact("utterances", report.at("utterances").dump());
    context.fact("models", summary.dump());
    context.fact("lost_calls", std::to_string(report.at("attribution").size()));
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST(
    "evaluate", "1.2.0", "Apache-2.0",
    retort::component<Evaluate>("stage.evaluate", "1.2.0",
                                "exact match, perplexity, malformed share, latency and size of models, and where "
                                "calls were lost between them"));
