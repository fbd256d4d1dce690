// stage.signals: what a teacher says of every token of a data set's answers, kept for stage.distill. A model is
// computed here; an endpoint is asked for its answers with log-probabilities, or for those of the answers that are
// there.
#include <retort/abi/teacher.h>

#include <memory>

#include "../common/teacher_requests.h"
#include "../common/training_stage.h"
#include "host/algorithm/teacher_call.h"
#include "train/signal_answers.h"
#include "train/signal_recording.h"

namespace {

namespace stages = retort::stages;
namespace train = retort::train;

class SignalsStage : public retort::Stage {
 public:
  struct Params {
    std::int64_t top_k = 32;
    std::int64_t batch_size = 32;
    std::string precision = "f32";
    std::string device = "cpu";
    std::string endpoint_gives = "answers";
    double max_rejected_share = 0.01;
    double max_left_out_share = 0.5;
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("top_k", &Params::top_k)
        .at_least(1)
        .unit("tokens")
        .doc("kept at each place, the most likely first; at most the vocabulary. The distillation may use fewer")
        .integer("batch_size", &Params::batch_size)
        .at_least(1)
        .unit("sequences")
        .doc("in one forward pass, or asked of the endpoint together")
        .string("precision", &Params::precision)
        .one_of({"f32", "bf16", "auto"})
        .doc("of matrix products; auto: bf16 where the CPU has AVX512_BF16, and on a GPU")
        .string("device", &Params::device)
        .doc("where the model computes: cpu, cuda or cuda:N")
        .string("endpoint_gives", &Params::endpoint_gives)
        .one_of({"answers", "scores"})
        .doc(
            "answers: it is asked anew, and rows that it answers otherwise are left out; scores: it is given the rows' "
            "own prompts and answers as the student's tokens, by a server that can (vLLM, \"echo\")")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("of the data set's rows that may be unusable: they are left out and counted")
        .number("max_left_out_share", &Params::max_left_out_share)
        .at_least(0)
        .at_most(1)
        .doc("of an endpoint's rows that may be answered otherwise, or in other tokens: likewise");
  }
  explicit SignalsStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("signals")
            .input("dataset", "dataset", "labelled utterances")
            .input(
                "teacher", "model",
                "who is asked about them; with an endpoint, the student: whose tokens and prompt form the signals are "
                "of")
            .slot(
                "endpoint", RETORT_TEACHER_INTERFACE,
                "is asked instead, with top_logprobs of at least top_k: rows that it answers as the data set does, in "
                "the student's tokens, get signals; or gives scores to the data set's answers",
                RETORT_SLOT_OPTIONAL);
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& /*context*/) override {
    std::vector<std::string> findings = train::device_findings(params_.device);
    for (std::string& finding : findings) finding.insert(0, "device: ");
    return findings;
  }

  void run(const retort::StageContext& context) override {
    const train::SignalAmount amount = context.slot("endpoint") ? ask_endpoint(context) : compute(context);
    context.fact("top_k", std::to_string(params_.top_k));
    context.fact("rows", std::to_string(amount.rows));
    context.fact("tokens", std::to_string(amount.tokens));
    context.fact("mean_tail", nlohmann::json(amount.mean_tail).dump());
  }

 private:
  bool scores() const { return params_.endpoint_gives == "scores"; }

  train::SignalAmount compute(const retort::StageContext& context) const {
    train::SignalRecordingJob job;
    job.dataset = context.input_folder("dataset");
    job.teacher = context.input_folder("teacher");
    job.top_k = params_.top_k;
    job.batch_size = params_.batch_size;
    job.precision = params_.precision;
    job.device = params_.device;
    job.max_rejected_share = params_.max_rejected_share;
    job.threads = context.threads();
    job.output = context.output_folder();
    job.work = context.work_folder();
    return train::record_signals(job, stages::hooks(context));
  }

  train::SignalAmount ask_endpoint(const retort::StageContext& context) const {
    const train::AnswerSignalJob job{
        context.input_folder("dataset"), context.input_folder("teacher"), params_.top_k, params_.batch_size,
        params_.max_rejected_share,      context.output_folder(),         scores()};
    const retort::BoundComponent endpoint = context.slot("endpoint").value();
    const retort::host::TeacherCall teacher(std::string(endpoint.id()), endpoint.instance(),
                                            endpoint.functions<retort_teacher_v1>());
    stages::AnswerJournal journal(std::filesystem::path(context.work_folder()) / "answers.jsonl");
    stages::TeacherCost cost;
    const train::AnswerSignalReport report = train::record_answer_signals(
        job,
        [&](const std::string& tools, std::size_t first, const std::vector<nlohmann::json>& requests) {
          std::vector<stages::TeacherRequest> placed;
          for (const nlohmann::json& request : requests) placed.push_back({first + placed.size(), request});
          return stages::ask(
              [&](auto... arguments) {
                if (scores())
                  teacher.score(arguments...);
                else
                  teacher.complete(arguments...);
              },
              tools, placed, &journal, cost);
        },
        stages::hooks(context));
    retort::log_info("stage.signals: " + report.rows.summary("rows") + "; " + cost.text());
    context.fact("left_out", std::to_string(report.rows.rejected()));
    if (report.rows.exceeds(params_.max_left_out_share))
      throw std::runtime_error("stage.signals: " + report.rows.summary("rows") +
                               ": more without signals than max_left_out_share allows; see to the endpoint, or take "
                               "stage.prototype's answers of it as the data set");
    return report.amount;
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.signals", "1.2.0", "Apache-2.0",
                   retort::component<SignalsStage>("stage.signals", "1.2.0",
                                                   "what a teacher says of a data set, for a distillation without it"));
