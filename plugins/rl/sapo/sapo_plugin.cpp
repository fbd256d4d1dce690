// rl.sapo: batches and parameters around sapo.h.
#include <retort/plugin.hpp>

#include "group_algorithm.h"
#include "sapo.h"

namespace {

class Sapo final : public retort::rl::GroupAlgorithm {
 public:
  struct Params : retort::rl::GroupAlgorithmParams {
    double temperature_positive = 1, temperature_negative = 1.05;
    Params() { loss_aggregation = "sequence_mean"; }
  };
  static auto schema() {
    auto set = retort::params<Params>();
    retort::rl::add_group_algorithm(set);
    return set.number("temperature_positive", &Params::temperature_positive)
        .above(0)
        .doc("τ₊: how soon the gradient of a token with an advantage above 0 fades as its ratio leaves 1")
        .number("temperature_negative", &Params::temperature_negative)
        .above(0)
        .doc("τ₋: the same of all others");
  }
  explicit Sapo(const Params& params)
      : GroupAlgorithm(params), positive_(params.temperature_positive), negative_(params.temperature_negative) {}

 protected:
  retort::rl::TokenLoss token_loss(const retort::rl::TokenInputs& at) const override {
    return retort::rl::sapo_token_loss(positive_, negative_, at.advantage, at.log_prob, at.old_log_prob);
  }

 private:
  double positive_, negative_;
};

}  // namespace

RETORT_PLUGIN_LIST("sapo", "1.0.0", "Apache-2.0",
                   retort::component<Sapo>("rl.sapo", "1.0.0",
                                           "soft adaptive policy optimisation: a smooth gate of the ratio in place of "
                                           "the clip"));
