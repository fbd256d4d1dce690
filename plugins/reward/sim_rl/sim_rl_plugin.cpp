// ABI glue of reward.sim_rl.
#include <retort/plugin.hpp>
#include <retort/reward.hpp>

#include "items.h"
#include "sim_rl.h"

namespace {

class SimRl final : public retort::Reward {
 public:
  using Params = retort::NoParams;
  explicit SimRl(Params /*params*/) {}
  std::string scores() const override {
    return R"([{"name":"score","minimum":-1,"maximum":1,"summary":"likeness to the reference; -1: no valid call"}])";
  }
  void score(const retort::RewardBatch& batch, const retort::ItemSink& scores) override {
    retort::rewards::score_items(batch, scores, [](const nlohmann::json& item, const nlohmann::json& tools) {
      const retort::sim_rl::Verdict verdict = retort::sim_rl::judge(item, tools);
      nlohmann::json result = {{"scores", {{"score", verdict.score}}}, {"reason", verdict.reason}};
      if (verdict.malformed) result["malformed"] = true;
      return result;
    });
  }
};

}  // namespace

RETORT_PLUGIN(
    SimRl, "reward.sim_rl", "1.0.0",
    "STAR's Sim-RL by its own matching rules: greedy by tool name, ROUGE-L of strings, -1 for what is no valid "
    "call");
