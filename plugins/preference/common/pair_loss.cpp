// The formulas of pair_loss.h, in f64.
#include "pair_loss.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

namespace retort::preference {

double softplus_of_negative(double x) {
  return std::log1p(std::exp(-std::abs(x))) + std::max(-x, 0.0);
}

double sigmoid(double x) {
  return x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
}

namespace {

double divisor(const DpoOptions& options, const Sequence& sequence, const char* name) {
  if (!options.by_length) return 1;
  if (!(sequence.tokens > 0))
    throw std::invalid_argument(std::string("length of the ") + name +
                                " sequence: expected at least one token, found " + std::to_string(sequence.tokens));
  return sequence.tokens;
}

}  // namespace

void check(const DpoOptions& options) {
  if (options.form == Form::ipo && options.label_smoothing > 0)
    throw std::invalid_argument("label_smoothing: expected 0 with loss \"ipo\", found " +
                                std::to_string(options.label_smoothing));
  if (options.form == Form::ipo && options.margin != 0)
    throw std::invalid_argument("margin: expected 0 with loss \"ipo\", whose margin is 1/(2β), found " +
                                std::to_string(options.margin));
}

PairLoss pair_loss(const DpoOptions& options, const Sequence& chosen, const Sequence& rejected) {
  const double chosen_tokens = divisor(options, chosen, "chosen");
  const double rejected_tokens = divisor(options, rejected, "rejected");
  const auto score = [&](const Sequence& sequence, double tokens) {
    return (sequence.log_prob - (options.reference ? sequence.reference_log_prob : 0)) / tokens;
  };
  const double chosen_score = score(chosen, chosen_tokens), rejected_score = score(rejected, rejected_tokens);
  const double difference = chosen_score - rejected_score;
  PairLoss result;
  double derivative = 0;  // by the difference
  if (options.form == Form::ipo) {
    const double excess = difference - 1 / (2 * options.beta);
    result.loss = excess * excess;
    derivative = 2 * excess;
  } else {
    const double x = options.beta * difference - options.margin, smoothing = options.label_smoothing;
    result.loss = (1 - smoothing) * softplus_of_negative(x) + smoothing * softplus_of_negative(-x);
    derivative = options.beta * (smoothing * sigmoid(x) - (1 - smoothing) * sigmoid(-x));
  }
  result.by_chosen = derivative / chosen_tokens;
  result.by_rejected = -derivative / rejected_tokens;
  result.chosen_reward = options.beta * chosen_score;
  result.rejected_reward = options.beta * rejected_score;
  return result;
}

}  // namespace retort::preference
