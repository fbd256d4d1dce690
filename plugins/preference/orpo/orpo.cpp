// The formulas of orpo.h, in f64.
#include "orpo.h"

#include <cmath>
#include <stdexcept>
#include <string>

namespace retort::preference {
namespace {

struct LogOdds {
  double mean = 0, value = 0, slope = 0;  ///< l, log odds, its derivative by l
};

LogOdds log_odds(const Sequence& sequence, const char* name) {
  if (!(sequence.tokens > 0))
    throw std::invalid_argument(std::string("length of the ") + name +
                                " sequence: expected at least one token, found " + std::to_string(sequence.tokens));
  constexpr double certain = -1e-6;
  const double mean = sequence.log_prob / sequence.tokens, bounded = mean < certain ? mean : certain;
  const double rest = -std::expm1(bounded);  // 1 − e^l
  return {mean, bounded - std::log(rest), mean < certain ? 1 / rest : 0};
}

}  // namespace

PairLoss orpo_loss(double lambda, const Sequence& chosen, const Sequence& rejected) {
  const LogOdds c = log_odds(chosen, "chosen"), r = log_odds(rejected, "rejected");
  const double ratio = c.value - r.value;
  PairLoss result;
  result.nll = -c.mean;
  result.loss = result.nll + lambda * softplus_of_negative(ratio);
  const double by_ratio = -lambda * sigmoid(-ratio);
  result.by_chosen = (-1 + by_ratio * c.slope) / chosen.tokens;
  result.by_rejected = -by_ratio * r.slope / rejected.tokens;
  result.chosen_reward = lambda * c.mean;
  result.rejected_reward = lambda * r.mean;
  return result;
}

}  // namespace retort::preference
