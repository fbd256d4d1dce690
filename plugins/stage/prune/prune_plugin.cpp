// stage.prune: cuts a model down as a pruner plugin decides.
#include "../common/compression_stage.h"
#include "train/pruning.h"

namespace {

class PruneStage : public retort::Stage {
 public:
  struct Params {
    double max_rejected_share = 0.01;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("of the calibration rows that may be unusable: they are left out and said");
  }
  explicit PruneStage(Params params) : params_(params) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape = retort::StageShape("model")
                                                .input("model", "model", "what to cut")
                                                .input("dataset", "dataset", "calibration data")
                                                .slot("algorithm", RETORT_PRUNER_INTERFACE, "decides what to keep");
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    return retort::stages::compression_findings(context, retort::train::check_pruner);
  }

  void run(const retort::StageContext& context) override {
    retort::train::PruningJob job;
    job.model = context.input_folder("model");
    job.dataset = context.input_folder("dataset");
    job.max_rejected_share = params_.max_rejected_share;
    job.pruner = retort::stages::algorithm(context);
    job.seed = context.seed();
    job.threads = context.threads();
    job.output = context.output_folder();
    retort::stages::record_size(context, retort::train::prune(job, retort::stages::hooks(context)));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.prune", "1.1.0", "Apache-2.0",
                   retort::component<PruneStage>("stage.prune", "1.1.0", "structured pruning to a smaller model"));
