// prune.ffn_ls: parameters, Hessians and new weights around ffn_ls.h.
#include <retort/plugin.hpp>
#include <retort/pruner.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "damping_parameters.h"
#include "ffn_ls.h"

namespace {

using retort::prune::ReconstructedDown;

class FeedForwardLeastSquares : public retort::Pruner {
 public:
  struct Params : retort::prune::ReconstructionOptions {
    double remove = .25;
    std::int64_t feed_forward = 0, round_to = 8, samples = 256;
  };
  static auto schema() {
    return retort::compression::with_damping(
        retort::params<Params>()
            .number("remove", &Params::remove)
            .at_least(0)
            .below(1)
            .doc("share of every layer's feed-forward channels that go; not read where a target size is given")
            .integer("feed_forward", &Params::feed_forward)
            .at_least(0)
            .unit("channel")
            .doc("target size; 0: none")
            .integer("round_to", &Params::round_to)
            .at_least(1)
            .unit("channel")
            .doc("the size that `remove` leads to is a multiple of it")
            .integer("samples", &Params::samples)
            .at_least(1)
            .unit("sequence")
            .doc("calibration sequences; several times the channels in tokens are of use")
            .integer("at_once", &Params::at_once)
            .at_least(1)
            .unit("channel")
            .doc(
                "channels that go before the costs of the others are counted anew: 1 is the best choice each time, and "
                "slow"));
  }

  explicit FeedForwardLeastSquares(const Params& params) : params_(params) {}

  retort::PruneRequirements requirements() const override {
    return {RETORT_SIGNAL_FEED_FORWARD_HESSIAN, params_.samples};
  }

  retort::PrunePlan plan(const retort_prune_structure& structure, const retort::PruneSignals& /*signals*/,
                         const retort::PruneModel& model) override {
    const std::int64_t stay = retort::prune::channels_that_stay(structure.feed_forward, params_.remove,
                                                                params_.feed_forward, params_.round_to);
    retort::PrunePlan plan;
    double error = 0;
    for (std::int64_t layer = 0; stay < structure.feed_forward && layer < structure.layers; ++layer) {
      const std::string name = "model.layers." + std::to_string(layer) + ".mlp.down_proj.weight";
      ReconstructedDown down = cut(structure, model, layer, name, stay);
      error += down.error / static_cast<double>(structure.layers);
      plan.keep.push_back({RETORT_AXIS_FEED_FORWARD, layer, std::move(down.kept)});
      plan.weights.push_back({name, {structure.hidden, structure.feed_forward}, std::move(down.weights)});
    }
    plan.metrics = {{"feed_forward_before", static_cast<double>(structure.feed_forward)},
                    {"feed_forward", static_cast<double>(stay)},
                    {"output_error", error}};
    return plan;
  }

 private:
  ReconstructedDown cut(const retort_prune_structure& structure, const retort::PruneModel& model, std::int64_t layer,
                        const std::string& name, std::int64_t stay) const {
    const retort::TensorView<const float> weight = model.weight(name);
    retort::expect_shape(weight, name.c_str(), structure.hidden, structure.feed_forward);
    std::vector<float> down;  // it lives until the next question only
    for (std::int64_t o = 0; o < weight.rows(); ++o)
      down.insert(down.end(), weight.row(o), weight.row(o) + weight.columns());
    const retort::TensorView<const float> hessian = model.feed_forward_hessian(layer);
    retort::expect_shape(hessian, "feed_forward_hessian", structure.feed_forward, structure.feed_forward);
    try {
      const ReconstructedDown result = retort::prune::reconstructed(
          down, {hessian.row(0), hessian.rows(), hessian.rows() > 1 ? hessian.row(1) - hessian.row(0) : 1}, stay,
          params_, [] { retort::throw_if_stopped(); });
      if (result.raises > 0)
        retort::log_warning(name + ": the Hessian has no Cholesky factor with a damping of " +
                            std::to_string(params_.damping) + "; raised to " + std::to_string(result.damping));
      return result;
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(name + ", " + error.what());
    } catch (const retort::compression::SingularHessian& error) {
      throw std::runtime_error(name + ", " + error.what());
    }
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("ffn_ls", "1.0.0", "Apache-2.0",
                   retort::component<FeedForwardLeastSquares>(
                       "prune.ffn_ls", "1.0.0",
                       "narrows the feed-forward; what stays takes up what goes, by least squares"));
