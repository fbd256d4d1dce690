// rl.dr_grpo: "GRPO done right" (Liu et al., arXiv 2503.20783, section 3.2): neither the group's deviation nor the
// response's own length divides, both of which bias; A = r − mean, and the sum over tokens is divided by the longest
// response that sampling allowed.
#include <retort/plugin.hpp>

#include "group_algorithm.h"

namespace {

class DrGrpo final : public retort::rl::ClippedGroupAlgorithm {
 public:
  struct Params : retort::rl::ClippedGroupParams {
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
  explicit DrGrpo(const Params& params) : ClippedGroupAlgorithm(params) {}
};

}  // namespace

RETORT_PLUGIN_LIST("dr_grpo", "1.0.0", "Apache-2.0",
                   retort::component<DrGrpo>("rl.dr_grpo", "1.0.0",
                                             "GRPO without its biases: rewards less their mean, a fixed length as "
                                             "divisor"));
