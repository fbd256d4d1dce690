// stage.distill: a student learns a teacher's distributions; with the input "student", recovery after pruning.
#include "../common/training_stage.h"
#include "train/distillation.h"

namespace {

class DistillStage : public retort::Stage {
 public:
  struct Params {
    retort::train::NewModel model;
    retort::train::TrainingOptions training;
    double prompt_loss_weight = 0;
    double sampling_temperature = 0.9;
    std::int64_t validation_limit = 200;
  };
  static auto schema() {
    return retort::params<Params>()
        .object("model", &Params::model, retort::stages::new_model_parameters())
        .object("training", &Params::training, retort::stages::training_parameters())
        .number("prompt_loss_weight", &Params::prompt_loss_weight)
        .at_least(0)
        .at_most(1)
        .doc("of the prompt's positions in the loss; 0 = responses only")
        .number("sampling_temperature", &Params::sampling_temperature)
        .above(0)
        .doc("of the student's own answers, where the algorithm asks for on-policy batches")
        .integer("validation_limit", &Params::validation_limit)
        .at_least(0)
        .unit("utterances")
        .doc("answered after every epoch; 0 = off");
  }
  explicit DistillStage(Params params) : params_(std::move(params)) {}

  const retort::StageShape& shape() const override {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("dataset", "dataset", "labelled utterances")
            .input("teacher", "model", "whose distributions are learnt")
            .input("student", "model", "where to start; without it a new model", RETORT_INPUT_OPTIONAL)
            .slot("algorithm", RETORT_DISTILL_INTERFACE, "the loss");
    return shape;
  }

  void run(const retort::StageContext& context) override {
    retort::train::DistillationJob job;
    retort::stages::fill(job, context, params_);
    job.teacher = context.input_folder("teacher");
    if (context.has_input("student")) job.student = context.input_folder("student");
    job.model = params_.model;
    job.strategy = retort::stages::handle<retort_distill_v1>(*context.slot("algorithm"));
    job.prompt_loss_weight = params_.prompt_loss_weight;
    job.sampling_temperature = params_.sampling_temperature;
    retort::stages::record_size(context, retort::train::distill(job, retort::stages::hooks(context)));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.distill", "1.0.0", "Apache-2.0",
                   retort::component<DistillStage>(
                       "stage.distill", "1.0.0", "knowledge distillation into a student, and recovery after pruning"));
