// stage.sparsify: sets weights of a model's layers to zero as a sparsifier plugin decides.
#include "../common/compression_stage.h"
#include "train/sparsification.h"

namespace {

class SparsifyStage : public retort::Stage {
 public:
  using Params = retort::NoParams;
  explicit SparsifyStage(Params /*none*/) {}

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
    job.sparsifier = retort::stages::algorithm(context);
    job.threads = context.threads();
    job.output = context.output_folder();
    retort::stages::record_size(context, retort::train::sparsify(job, retort::stages::hooks(context)));
  }
};

}  // namespace

RETORT_PLUGIN_LIST("stage.sparsify", "1.0.0", "Apache-2.0",
                   retort::component<SparsifyStage>("stage.sparsify", "1.0.0",
                                                    "zeros in a model's matrices; shapes stay"));
