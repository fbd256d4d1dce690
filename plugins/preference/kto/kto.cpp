// The formulas of kto.h, in f64.
#include "kto.h"

#include "pair_loss.h"

namespace retort::preference {

SequenceLoss kto_loss(const KtoOptions& options, bool good, double log_prob, double reference_log_prob) {
  const double ratio = log_prob - reference_log_prob, sign = good ? 1 : -1;
  const double x = sign * options.beta * (ratio - options.reference_point);
  const double weight = good ? options.good_weight : options.bad_weight;
  return {weight * sigmoid(-x), -weight * sign * options.beta * sigmoid(x) * sigmoid(-x), options.beta * ratio};
}

}  // namespace retort::preference
