// stage.qat: quantisation-aware training. A float model goes on learning while its weights are their codes, from the
// distributions that it had before; written as stage.quantize writes.
#include "../common/compression_stage.h"
#include "train/quantization_aware.h"

namespace {

class QatStage : public retort::Stage {
 public:
  struct Params {
    retort::train::TrainingOptions training;
    std::string scales = "learned";
    double scale_learning_rate = 1;
    bool embedding = true;
    bool head = true;
    bool pure = false;
    std::string activations = "float";
    double prompt_loss_weight = 0;
    std::int64_t validation_limit = 200;
    retort::train::ModelSelection validation;
  };
  static auto schema() {
    return retort::params<Params>()
        .object("training", &Params::training, retort::stages::training_parameters())
        .string("scales", &Params::scales)
        .one_of({"learned", "fixed"})
        .doc(
            "of int4 groups: learned = step sizes learn with the weights (LSQ, arXiv 1902.08153); fixed = they stay as "
            "the algorithm chose them, and weights alone learn (straight-through)")
        .number("scale_learning_rate", &Params::scale_learning_rate)
        .above(0)
        .doc("factor on the learning rate for the scales, each of which learns a factor of its first value")
        .boolean("embedding", &Params::embedding)
        .doc("quantise the embedding, and the head that is tied to it; int8 with an algorithm of 4 bits, unless pure")
        .boolean("head", &Params::head)
        .doc("quantise a separate head; int8 with an algorithm of 4 bits, unless pure")
        .boolean("pure", &Params::pure)
        .doc("with an algorithm of 4 bits, the embedding and the head in 4 bits too")
        .string("activations", &Params::activations)
        .one_of({"float", "int8"})
        .doc("what int8 weights are multiplied by where the model runs; training computes with float ones")
        .number("prompt_loss_weight", &Params::prompt_loss_weight)
        .at_least(0)
        .at_most(1)
        .doc("of the prompt's positions in the loss; 0 = responses only")
        .integer("validation_limit", &Params::validation_limit)
        .at_least(0)
        .unit("utterances")
        .doc("answered at every validation; 0 = off")
        .object("validation", &Params::validation, retort::stages::selection_parameters());
  }
  explicit QatStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("dataset", "dataset", "labelled utterances; calibration too, where the algorithm asks for it")
            .input("model", "model", "the float model, which is its own teacher")
            .slot("algorithm", RETORT_QUANTIZER_INTERFACE, "decides bits and groups, and the first scales")
            .slot("loss", RETORT_DISTILL_INTERFACE, "between the float model and the one of codes");
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    std::vector<std::string> findings = retort::stages::compression_findings(context, retort::train::check_quantizer);
    retort::stages::check_device(findings, params_.training);
    retort::stages::check_no_packing(findings, params_.training);
    for (std::string& finding :
         retort::train::distillation_findings(retort::stages::handle<retort_distill_v1>(context.slot("loss").value())))
      findings.push_back(std::move(finding));
    return findings;
  }

  void run(const retort::StageContext& context) override {
    retort::train::QuantizationAwareJob job;
    retort::stages::fill(job.distillation, context, params_);
    job.distillation.teachers = {context.input_folder("model")};
    job.distillation.student = context.input_folder("model");
    job.distillation.losses = retort::stages::handles<retort_distill_v1>(context, "loss");
    job.distillation.validation = params_.validation;
    job.distillation.prompt_loss_weight = params_.prompt_loss_weight;
    job.grid.dataset = context.input_folder("dataset");
    job.grid.max_rejected_share = params_.training.max_rejected_share;
    job.grid.quantizer = retort::stages::algorithm(context);
    job.grid.storage.embedding = params_.embedding;
    job.grid.storage.head = params_.head;
    job.grid.storage.pure = params_.pure;
    job.grid.storage.activation_bits = params_.activations == "int8" ? 8 : 0;
    job.learn_scales = params_.scales == "learned";
    job.scale_learning_rate = params_.scale_learning_rate;
    retort::stages::record_size(context, retort::train::train_quantized(job, retort::stages::hooks(context)));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.qat", "1.0.0", "Apache-2.0",
                   retort::component<QatStage>("stage.qat", "1.0.0",
                                               "quantisation-aware training of int8 rows and int4 groups"));
