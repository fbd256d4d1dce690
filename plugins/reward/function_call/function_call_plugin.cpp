// ABI glue of reward.function_call.
#include <retort/plugin.hpp>
#include <retort/reward.hpp>

#include "function_call.h"

namespace {

class FunctionCall final : public retort::Reward {
 public:
  struct Params {
    double name_weight = 0.0;
    double unequal_cap = 0.99;
    double different_state_cap = 0.9;
  };
  static auto schema() {
    return retort::params<Params>()
        .number("name_weight", &Params::name_weight)
        .at_least(0)
        .below(1)
        .doc("share of a call's similarity that the right tool name alone earns; 0 is STAR's")
        .number("unequal_cap", &Params::unequal_cap)
        .at_least(0)
        .at_most(1)
        .doc("highest score of calls that are not equal to the reference; 1 is off")
        .number("different_state_cap", &Params::different_state_cap)
        .at_least(0)
        .at_most(1)
        .doc("highest score when the calls leave another state than the reference's; 1 is off");
  }
  explicit FunctionCall(const Params& p) : reward_({{p.name_weight}, p.unequal_cap, p.different_state_cap}) {}
  void score(const retort::RewardBatch& batch, const retort::ItemSink& scores) override {
    reward_.score(batch.tools, batch.items,
                  [&](std::size_t index, const std::string& item) { scores.item(index, item); });
  }

 private:
  retort::call_reward::FunctionCallReward reward_;
};

}  // namespace

RETORT_PLUGIN(FunctionCall, "reward.function_call", "1.1.0",
              "scores calls: schema, execution, and STAR's similarity to a reference");
