// rl.dapo: decoupled clip and dynamic sampling (Yu et al., arXiv 2503.14476): a higher bound above (eq. 10), groups
// whose rewards are all equal replaced by other prompts (eq. 11), every token of the update weighing alike (eq. 12),
// long responses punished softly (eq. 13).
#include <algorithm>
#include <retort/plugin.hpp>

#include "dapo.h"
#include "group_algorithm.h"

namespace {

class Dapo final : public retort::rl::ClippedGroupAlgorithm {
 public:
  struct Params : retort::rl::ClippedGroupParams {
    std::int64_t refill_rounds = 3;
    double overlong_buffer_share = 0.2, overlong_weight = 1;
    Params() { clip_distance_above = 0.28; }
  };
  static auto schema() {
    auto set = retort::params<Params>();
    retort::rl::add_group_algorithm(retort::rl::add_clip(set));
    return set.integer("refill_rounds", &Params::refill_rounds)
        .at_least(0)
        .doc(
            "dynamic sampling: in place of dropped groups other prompts are asked, this many times at most; 0: the "
            "batch stays smaller")
        .number("overlong_buffer_share", &Params::overlong_buffer_share)
        .at_least(0)
        .at_most(1)
        .doc("a response's last share of the longest length allowed, in which the penalty grows from 0 to 1")
        .number("overlong_weight", &Params::overlong_weight)
        .at_least(0)
        .doc("of the penalty, taken off the reward; 0: off");
  }
  explicit Dapo(const Params& params) : ClippedGroupAlgorithm(params), params_(params) {}

  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted = ClippedGroupAlgorithm::requirements();
    wanted.refill_rounds = params_.refill_rounds;
    return wanted;
  }

 protected:
  std::vector<double> penalties(const retort::RlBatch& batch) const override {
    std::vector<double> all;
    const auto longest = static_cast<double>(batch.maximum_tokens);
    for (std::int64_t r = 0; params_.overlong_weight > 0 && r < batch.mask.rows(); ++r)
      all.push_back(params_.overlong_weight * retort::rl::soft_overlong(retort::rl::row_tokens(batch, r), longest,
                                                                        params_.overlong_buffer_share * longest));
    return all;
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("dapo", "1.0.0", "Apache-2.0",
                   retort::component<Dapo>("rl.dapo", "1.0.0",
                                           "GRPO with a higher clip above, dynamic sampling, the mean over tokens and "
                                           "a soft penalty of long responses"));
