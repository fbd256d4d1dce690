// stage.prune: cuts a model down as a pruner plugin decides; with several, cut after cut, and with a loss what was cut
// learns again from the model before the cuts.
#include "../common/compression_stage.h"
#include "train/distillation.h"
#include "train/pruning.h"
#include "train/recovery.h"

namespace {

class PruneStage : public retort::Stage {
 public:
  struct Params {
    double max_rejected_share = 0.01;
    retort::train::RecoveryOptions recovery;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("of the calibration rows that may be unusable: they are left out and said")
        .object("recovery", &Params::recovery, retort::stages::recovery_parameters());
  }
  explicit PruneStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("model", "model", "what to cut")
            .input("dataset", "dataset", "calibration data, and what recovery learns from")
            .input("teacher", "model", "whom recovery learns from; without it the model before the cuts",
                   RETORT_INPUT_OPTIONAL)
            .slot("algorithm", RETORT_PRUNER_INTERFACE, "decides what to keep")
            .slot("further", RETORT_PRUNER_INTERFACE, "further cuts, a round each, of what the round before left",
                  RETORT_SLOT_OPTIONAL | RETORT_SLOT_LIST)
            .slot("loss", RETORT_DISTILL_INTERFACE,
                  "recovery after each cut, as \"recovery\" says; without it nothing is trained", RETORT_SLOT_OPTIONAL);
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    std::vector<std::string> findings = retort::stages::compression_findings(context, retort::train::check_pruner);
    retort::stages::check_device(findings, params_.recovery.training, "recovery.training.device");
    retort::stages::check_no_packing(findings, params_.recovery.training, "recovery.training.packing");
    try {
      for (const retort_bound_component& pruner : retort::stages::bound(context, "further"))
        retort::train::check_pruner(pruner);
    } catch (const std::exception& error) {
      findings.push_back(std::string("further: ") + error.what());
    }
    if (const auto loss = context.slot("loss"))
      for (std::string& finding :
           retort::train::distillation_findings(retort::stages::handle<retort_distill_v1>(*loss)))
        findings.push_back(std::move(finding));
    else if (context.has_input("teacher"))
      findings.emplace_back("teacher: expected a \"loss\" to learn from it by, found none");
    return findings;
  }

  void run(const retort::StageContext& context) override {
    retort::train::CutSchedule job;
    job.model = context.input_folder("model");
    job.dataset = context.input_folder("dataset");
    if (context.has_input("teacher")) job.teacher = context.input_folder("teacher");
    job.pruners = retort::stages::bound(context, "algorithm");
    for (const retort_bound_component& pruner : retort::stages::bound(context, "further"))
      job.pruners.push_back(pruner);
    if (context.slot("loss")) job.losses = retort::stages::handles<retort_distill_v1>(context, "loss");
    job.recovery = params_.recovery;
    job.max_rejected_share = params_.max_rejected_share;
    job.seed = context.seed();
    job.threads = context.threads();
    job.output = context.output_folder();
    job.work = context.work_folder();
    retort::stages::record_size(context, retort::train::cut_in_rounds(job, retort::stages::hooks(context)));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.prune", "1.2.0", "Apache-2.0",
                   retort::component<PruneStage>("stage.prune", "1.2.0",
                                                 "structured pruning to a smaller model, in one cut or several, with "
                                                 "recovery after each"));
