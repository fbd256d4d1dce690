// stage.distill: a student learns a teacher's distributions; with the input "student", recovery after pruning.
#include "../common/training_stage.h"
#include "train/distillation.h"

namespace {

/// A student has its teacher's vocabulary, and where nothing else is said its positions too.
retort::train::NewModel student_shape() {
  retort::train::NewModel shape;
  shape.max_positions = 0;
  shape.rope_theta = 0;
  shape.prompt_attention = "teacher";
  return shape;
}

auto student_parameters() {
  using M = retort::train::NewModel;
  return retort::stages::model_size_parameters()
      .integer("max_positions", &M::max_positions)
      .at_least(0)
      .unit("tokens")
      .doc("longest prompt with response; 0 = the teacher's")
      .number("rope_theta", &M::rope_theta)
      .at_least(0)
      .doc("base of the rotary position embedding; 0 = the teacher's")
      .string("prompt_attention", &M::prompt_attention)
      .one_of({"teacher", "causal", "bidirectional"})
      .doc("bidirectional = each token of a prompt sees all of it; teacher = as the teacher reads");
}

class DistillStage : public retort::Stage {
 public:
  struct Params {
    retort::train::NewModel model = student_shape();
    std::string initialisation = "random";
    std::vector<double> teacher_weights;
    retort::train::TrainingOptions training;
    double prompt_loss_weight = 0;
    double tag_weight = 0;
    double sampling_temperature = 0.9;
    double teacher_answers = 0;
    std::string unrecorded = "refuse";
    std::int64_t validation_limit = 200;
    retort::train::ModelSelection validation;
  };
  static auto schema() {
    return retort::params<Params>()
        .object("model", &Params::model, student_parameters())
        .object("training", &Params::training, retort::stages::training_parameters())
        .string("initialisation", &Params::initialisation)
        .one_of({"random", "embeddings", "layers"})
        .doc(
            "of a student: embeddings = the first teacher's, projected (principal components); layers = the first "
            "teacher with model.layers of its layers, evenly")
        .numbers("teacher_weights", &Params::teacher_weights)
        .doc("one for each teacher, in the order of the input, scaled to sum to 1; empty = all alike")
        .number("prompt_loss_weight", &Params::prompt_loss_weight)
        .at_least(0)
        .at_most(1)
        .doc("of the prompt's positions in the loss; 0 = responses only")
        .number("tag_weight", &Params::tag_weight)
        .at_least(0)
        .at_most(10)
        .doc("of the prompt's positions, where a teacher that was trained with tag_weight says what each token is")
        .number("sampling_temperature", &Params::sampling_temperature)
        .above(0)
        .doc("of the student's own answers, where the algorithm asks for on-policy batches")
        .number("teacher_answers", &Params::teacher_answers)
        .at_least(0)
        .at_most(1)
        .doc(
            "share of the batches, but for the student's own, whose answers a teacher writes anew, the likeliest token "
            "at a time; 0 = the data set's answers")
        .string("unrecorded", &Params::unrecorded)
        .one_of({"refuse", "ask", "leave_out"})
        .doc(
            "with signals, rows that these lack, as augmented ones: refused, asked of the teacher as training goes, or "
            "not learnt")
        .integer("validation_limit", &Params::validation_limit)
        .at_least(0)
        .unit("utterances")
        .doc("answered at every validation; 0 = off")
        .object("validation", &Params::validation, retort::stages::selection_parameters());
  }
  explicit DistillStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("dataset", "dataset", "labelled utterances")
            .input("teacher", "model",
                   "whose distributions are learnt; with the student's tokens, unless the algorithm compares pieces of "
                   "text. None with signals of a student's own tokens",
                   RETORT_INPUT_LIST | RETORT_INPUT_OPTIONAL)
            .input("signals", "signals", "what the teacher said about this data set, read instead of asking it",
                   RETORT_INPUT_OPTIONAL)
            .input("student", "model", "where to start; without it a new model", RETORT_INPUT_OPTIONAL)
            .slot("algorithm", RETORT_DISTILL_INTERFACE, "the loss");
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    std::vector<std::string> findings = retort::train::distillation_findings(
        retort::stages::handle<retort_distill_v1>(context.slot("algorithm").value()));
    retort::stages::check_device(findings, params_.training);
    retort::stages::check_no_packing(findings, params_.training);
    if (context.input_count("teacher") == 0 && !(context.has_input("signals") && context.has_input("student")))
      findings.emplace_back("teacher: expected a model, or \"signals\" and a \"student\" in its place");
    return findings;
  }

  void run(const retort::StageContext& context) override {
    retort::train::DistillationJob job;
    retort::stages::fill(job, context, params_);
    for (std::uint64_t i = 0; i < context.input_count("teacher"); ++i)
      job.teachers.emplace_back(context.input_folder("teacher", i));
    if (context.has_input("signals")) job.signals = context.input_folder("signals");
    job.teacher_weights = params_.teacher_weights;
    if (context.has_input("student")) job.student = context.input_folder("student");
    job.model = params_.model;
    job.losses = retort::stages::handles<retort_distill_v1>(context, "algorithm");
    job.initialisation = params_.initialisation;
    job.validation = params_.validation;
    job.prompt_loss_weight = params_.prompt_loss_weight;
    job.tag_weight = params_.tag_weight;
    job.sampling_temperature = params_.sampling_temperature;
    job.teacher_answers = params_.teacher_answers;
    job.ask_for_unrecorded = params_.unrecorded == "ask";
    job.leave_out_unrecorded = params_.unrecorded == "leave_out";
    retort::stages::record_size(context, retort::train::distill(job, retort::stages::hooks(context)));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.distill", "2.2.0", "Apache-2.0",
                   retort::component<DistillStage>(
                       "stage.distill", "2.2.0", "knowledge distillation into a student, and recovery after pruning"));
