// rl.grpo: group-relative policy optimisation (DeepSeekMath, arXiv 2402.03300, eq. 3 and section 4.1.2), without a
// critic. Token loss −min(ρ·A, clip(ρ)·A) + β·KL.
#include <retort/plugin.hpp>

#include "group_algorithm.h"

namespace {

class Grpo final : public retort::rl::ClippedGroupAlgorithm {
 public:
  using Params = retort::rl::ClippedGroupParams;
  static auto schema() {
    auto set = retort::params<Params>();
    return retort::rl::add_group_algorithm(retort::rl::add_clip(set));
  }
  explicit Grpo(const Params& params) : ClippedGroupAlgorithm(params) {}
};

}  // namespace

RETORT_PLUGIN_LIST("grpo", "1.1.0", "Apache-2.0",
                   retort::component<Grpo>("rl.grpo", "1.1.0",
                                           "group-relative policy optimisation: rewards normalised among a prompt's "
                                           "samples, clipped ratios of tokens"));
