// prune.depth: signals, candidates and parameters around depth.h.
#include <retort/plugin.hpp>
#include <retort/pruner.hpp>
#include <string>
#include <utility>
#include <vector>

#include "depth.h"

namespace {

class DepthPruner : public retort::Pruner {
 public:
  struct Params : retort::prune::DepthOptions {
    std::string by = "block_influence";
    std::int64_t samples = 256;
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("remove", &Params::remove)
        .at_least(0)
        .unit("layer")
        .doc("layers that go; at least one layer stays")
        .string("by", &Params::by)
        .one_of({"block_influence", "loss", "block_similarity"})
        .doc(
            "block_influence: the layers that turn the hidden state least (ShortGPT); loss: one after the other the "
            "layer whose removal costs the least loss on the calibration data, which takes a validation for every "
            "layer "
            "that is left; block_similarity: the contiguous layers whose output is most like their input")
        .integer("protected_first", &Params::protected_first)
        .at_least(0)
        .unit("layer")
        .doc("layers at the start that stay")
        .integer("protected_last", &Params::protected_last)
        .at_least(0)
        .unit("layer")
        .doc("layers at the end that stay")
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("sequence")
        .doc("calibration sequences");
  }

  explicit DepthPruner(Params params) : params_(std::move(params)) {}

  retort::PruneRequirements requirements() const override {
    if (params_.by == "loss") return {0, params_.samples, RETORT_PRUNE_EVALUATES};
    if (params_.by == "block_similarity") return {RETORT_SIGNAL_BLOCK_SIMILARITY, params_.samples, 0};
    return {RETORT_SIGNAL_BLOCK_INFLUENCE, params_.samples, 0};
  }

  retort::PrunePlan plan(const retort_prune_structure& structure, const retort::PruneSignals& signals,
                         const retort::PruneModel& model) override {
    const std::int64_t layers = structure.layers;
    retort::PrunePlan result;
    std::vector<std::int64_t> kept;
    if (params_.by == "loss") {
      kept = by_loss(layers, model, result.metrics);
    } else if (params_.by == "block_similarity") {
      retort::expect_shape(signals.block_similarity, "block_similarity", layers, layers);
      kept = retort::prune::keep_by_similarity(
          params_, layers, [&](std::int64_t i, std::int64_t j) { return signals.block_similarity(i, j); });
    } else {
      retort::expect_shape(signals.block_influence, "block_influence", layers);
      std::vector<float> influence;  // the view may have a stride
      for (std::int64_t layer = 0; layer < layers; ++layer) influence.push_back(signals.block_influence[layer]);
      kept = retort::prune::keep_by_influence(params_, influence);
    }
    result.metrics.emplace_back("layers_before", static_cast<double>(layers));
    result.metrics.emplace_back("layers_after", static_cast<double>(kept.size()));
    if (static_cast<std::int64_t>(kept.size()) < layers)
      result.keep.push_back({RETORT_AXIS_LAYERS, -1, std::move(kept)});
    return result;
  }

 private:
  std::vector<std::int64_t> by_loss(std::int64_t layers, const retort::PruneModel& model,
                                    retort::Metrics& metrics) const {
    retort::prune::check_depth(params_, layers);
    metrics.emplace_back("loss_before", model.evaluate({}));
    const retort::prune::GreedyDepth found =
        retort::prune::keep_by_loss(params_, layers, [&](const std::vector<std::int64_t>& candidate) {
          retort::throw_if_stopped();
          return model.evaluate({{RETORT_AXIS_LAYERS, -1, candidate}});
        });
    for (std::size_t i = 0; i < found.losses.size(); ++i)
      metrics.emplace_back("loss_without_" + std::to_string(i + 1), found.losses[i]);
    return found.kept;
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("depth", "1.0.0", "Apache-2.0",
                   retort::component<DepthPruner>("prune.depth", "1.0.0",
                                                  "removes whole layers by influence, similarity or loss"));
