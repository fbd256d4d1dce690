// stage.sparsify: sets weights of a model's layers to zero as a sparsifier plugin decides.
#include "../common/compression_stage.h"
#include "train/sparsification.h"

namespace {

class SparsifyStage : public retort::Stage {
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
  explicit SparsifyStage(Params params) : params_(params) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("model", "model", "what to make sparse")
            .input("dataset", "dataset", "calibration data, where the algorithm asks for it", RETORT_INPUT_OPTIONAL)
            .slot("algorithm", RETORT_SPARSIFIER_INTERFACE, "chooses the weights that become zero");
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    return retort::stages::compression_findings(context, retort::train::check_sparsifier);
  }

  void run(const retort::StageContext& context) override {
    retort::train::SparsificationJob job;
    job.model = context.input_folder("model");
    if (context.has_input("dataset")) job.dataset = context.input_folder("dataset");
    job.max_rejected_share = params_.max_rejected_share;
    job.sparsifier = retort::stages::algorithm(context);
    job.threads = context.threads();
    job.output = context.output_folder();
    retort::stages::record_size(context, retort::train::sparsify(job, retort::stages::hooks(context)));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.sparsify", "1.0.0", "Apache-2.0",
                   retort::component<SparsifyStage>("stage.sparsify", "1.0.0",
                                                    "zeros in a model's matrices; shapes stay"));
