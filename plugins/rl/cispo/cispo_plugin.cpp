// rl.cispo: batches and parameters around cispo.h.
#include <retort/plugin.hpp>
#include <stdexcept>
#include <string>

#include "cispo.h"
#include "group_algorithm.h"

namespace {

class Cispo final : public retort::rl::GroupAlgorithm {
 public:
  struct Params : retort::rl::GroupAlgorithmParams {
    double ratio_floor = 0, ratio_cap = 5;
  };
  static auto schema() {
    auto set = retort::params<Params>();
    retort::rl::add_group_algorithm(set);
    return set.number("ratio_floor", &Params::ratio_floor)
        .at_least(0)
        .doc("lowest weight of a token, an absolute bound of π/π_old; 0: none (TRL)")
        .number("ratio_cap", &Params::ratio_cap)
        .above(0)
        .doc("highest weight of a token, an absolute bound of π/π_old (5: TRL; verl writes 1 + its distance)");
  }
  explicit Cispo(const Params& params) : GroupAlgorithm(params), floor_(params.ratio_floor), cap_(params.ratio_cap) {
    if (floor_ > cap_)
      throw std::invalid_argument("ratio_floor: expected at most ratio_cap " + std::to_string(cap_) + ", found " +
                                  std::to_string(floor_));
  }

  retort::RlRequirements requirements() const override {
    retort::RlRequirements wanted = GroupAlgorithm::requirements();
    wanted.flags |= RETORT_RL_CONSTANT_RATIO;
    return wanted;
  }

 protected:
  retort::rl::TokenLoss token_loss(const retort::rl::TokenInputs& at) const override {
    return retort::rl::cispo_token_loss(floor_, cap_, at.advantage, at.log_prob, at.old_log_prob);
  }

 private:
  double floor_, cap_;
};

}  // namespace

RETORT_PLUGIN_LIST("cispo", "1.0.0", "Apache-2.0",
                   retort::component<Cispo>("rl.cispo", "1.0.0",
                                            "clipped importance sampling: the ratio weighs, bounded, and every token "
                                            "keeps its gradient"));
