// stage.signals: what a teacher model says of every token of a data set's answers, kept for stage.distill.
#include "../common/training_stage.h"
#include "train/signal_recording.h"

namespace {

class SignalsStage : public retort::Stage {
 public:
  struct Params {
    std::int64_t top_k = 32;
    std::int64_t batch_size = 32;
    std::string precision = "f32";
    double max_rejected_share = 0.01;
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
        .doc("in one forward pass")
        .string("precision", &Params::precision)
        .one_of({"f32", "bf16", "auto"})
        .doc("of matrix products; auto: bf16 where the CPU has AVX512_BF16")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("of the data set's rows that may be unusable: they are left out and counted");
  }
  explicit SignalsStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape = retort::StageShape("signals")
                                                .input("dataset", "dataset", "labelled utterances")
                                                .input("teacher", "model", "who is asked about them");
    return shape;
  }

  void run(const retort::StageContext& context) override {
    retort::train::SignalRecordingJob job;
    job.dataset = context.input_folder("dataset");
    job.teacher = context.input_folder("teacher");
    job.top_k = params_.top_k;
    job.batch_size = params_.batch_size;
    job.precision = params_.precision;
    job.max_rejected_share = params_.max_rejected_share;
    job.threads = context.threads();
    job.output = context.output_folder();
    job.work = context.work_folder();
    const retort::train::RecordedAmount amount = retort::train::record_signals(job, retort::stages::hooks(context));
    context.fact("top_k", std::to_string(params_.top_k));
    context.fact("rows", std::to_string(amount.rows));
    context.fact("tokens", std::to_string(amount.tokens));
    context.fact("mean_tail", nlohmann::json(amount.mean_tail).dump());
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.signals", "1.0.0", "Apache-2.0",
                   retort::component<SignalsStage>("stage.signals", "1.0.0",
                                                   "what a teacher says of a data set, for a distillation without it"));
