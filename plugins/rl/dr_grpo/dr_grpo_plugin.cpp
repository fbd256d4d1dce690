// rl.dr_grpo: "GRPO done right" (Liu et al., arXiv 2503.20783, section 3.2): neither the group's deviation nor the
// response's own length divides, both of which bias; A = r − mean, and the sum over tokens is divided by the longest
// response that sampling allowed.
#include <retort/plugin.hpp>

#include "group_algorithm.h"

namespace {

class DrGrpo final : public retort::rl::GroupAlgorithm {
 public:
  struct Params : retort::rl::GroupAlgorithmParams, retort::rl::ClipParams {
    Params() {
      scale = "none";
      loss_aggregation = "maximum_length";
      drop_equal_groups = false;
    }
  };
  static auto schema() {
    auto set = retort::params<Params>();
    return retort::rl::add_group_algorithm(retort::rl::add_clip(set));
  }
  explicit DrGrpo(const Params& params) : GroupAlgorithm(params), clip_(params.clip()) {}

 protected:
  retort::rl::TokenLoss token_loss(const retort::rl::TokenInputs& at) const override {
    return retort::rl::clipped_surrogate(&clip_, at.advantage, at.log_prob, at.old_log_prob);
  }

 private:
  retort::rl::Clip clip_;
};

}  // namespace

RETORT_PLUGIN_LIST("dr_grpo", "1.0.0", "Apache-2.0",
                   retort::component<DrGrpo>("rl.dr_grpo", "1.0.0",
                                             "GRPO without its biases: rewards less their mean, a fixed length as "
                                             "divisor"));
