// The formulas of policy_loss.h, in f64.
#include "policy_loss.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <stdexcept>
#include <utility>

namespace retort::rl {
namespace {

template <typename Value, std::size_t N>
Value named(const char* what, const std::string& name, const std::array<std::pair<const char*, Value>, N>& values) {
  std::string all;
  for (const auto& [known, value] : values) {
    if (name == known) return value;
    all += (all.empty() ? "\"" : ", \"") + std::string(known) + "\"";
  }
  throw std::invalid_argument(std::string(what) + ": expected one of " + all + ", found \"" + name + "\"");
}

bool within(const SamplerCorrection& correction, double ratio) {
  return ratio >= correction.floor && ratio <= correction.cap;
}

}  // namespace

TokenLoss clipped_ratio(const Clip* clip, double advantage, double ratio) {
  TokenLoss result;
  const double free = ratio * advantage;
  const double bounded = clip == nullptr ? free : std::clamp(ratio, 1 - clip->below, 1 + clip->above) * advantage;
  result.clipped = bounded < free;
  result.loss = -std::min(free, bounded);
  if (clip != nullptr && clip->dual_cap > 0 && advantage < 0 && result.loss > -clip->dual_cap * advantage) {
    result.clipped = true;
    result.loss = -clip->dual_cap * advantage;
  }
  result.derivative = result.clipped ? 0 : -free;  // d ρ / d log ρ = ρ
  return result;
}

TokenLoss clipped_surrogate(const Clip* clip, double advantage, double log_prob, double old_log_prob) {
  return clipped_ratio(clip, advantage, std::exp(log_prob - old_log_prob));
}

Kl kl_named(const std::string& name) {
  return named<Kl, 5>(
      "kl_estimator", name,
      {{{"k1", Kl::k1}, {"k2", Kl::k2}, {"k3", Kl::k3}, {"k3_plus", Kl::k3_plus}, {"k3_unbiased", Kl::k3_unbiased}}});
}

Divergence divergence(Kl kl, double log_prob, double reference_log_prob, double old_log_prob) {
  const double d = log_prob - reference_log_prob;
  const double k3 = std::expm1(-d) + d, k3_derivative = -std::expm1(-d);
  switch (kl) {
    case Kl::k1:
      return {d, 1};
    case Kl::k2:
      return {d * d / 2, d};
    case Kl::k3:
      return {k3, k3_derivative};
    case Kl::k3_plus:
      return {k3, d};
    case Kl::k3_unbiased:
      break;
  }
  const double ratio = std::exp(log_prob - old_log_prob);
  return {ratio * k3, ratio * (k3 + k3_derivative)};
}

Correction correction_named(const std::string& name) {
  return named<Correction, 4>("sampler_correction", name,
                              {{{"off", Correction::off},
                                {"truncate", Correction::truncate},
                                {"mask", Correction::mask},
                                {"icepop", Correction::icepop}}});
}

RatioLevel ratio_level_named(const std::string& name) {
  return named<RatioLevel, 3>("sampler_level", name,
                              {{{"token", RatioLevel::token},
                                {"sequence_product", RatioLevel::sequence_product},
                                {"sequence_mean", RatioLevel::sequence_mean}}});
}

void sampler_weights(const SamplerCorrection& correction, std::span<const double> old_log_probs,
                     std::span<const double> sampler_log_probs, std::span<double> weights) {
  if (correction.kind == Correction::off) {
    std::fill(weights.begin(), weights.end(), 1.0);
    return;
  }
  double sum = 0;
  for (std::size_t t = 0; t < weights.size(); ++t) sum += old_log_probs[t] - sampler_log_probs[t];
  const auto tokens = static_cast<double>(std::max<std::size_t>(weights.size(), 1));
  const double of_row = std::exp(correction.level == RatioLevel::sequence_mean ? sum / tokens : sum);
  for (std::size_t t = 0; t < weights.size(); ++t) {
    const double own = std::exp(old_log_probs[t] - sampler_log_probs[t]);
    const double x = correction.level == RatioLevel::token ? own : of_row;
    if (correction.kind == Correction::truncate)
      weights[t] = std::min(x, correction.cap);
    else
      weights[t] = !within(correction, x) ? 0 : correction.kind == Correction::icepop ? own : x;
  }
}

Aggregation aggregation_named(const std::string& name) {
  return named<Aggregation, 4>("loss_aggregation", name,
                               {{{"token_mean", Aggregation::token_mean},
                                 {"sequence_mean", Aggregation::sequence_mean},
                                 {"sequence_sum", Aggregation::sequence_sum},
                                 {"maximum_length", Aggregation::maximum_length}}});
}

double token_weight(Aggregation aggregation, double row_tokens, const UpdateSize& update) {
  const auto rows = static_cast<double>(update.rows);
  double divisor = 0;
  const char* name = "";
  switch (aggregation) {
    case Aggregation::token_mean:
      divisor = static_cast<double>(update.tokens);
      name = "update_tokens";
      break;
    case Aggregation::sequence_mean:
      divisor = rows * row_tokens;
      name = "update_rows times the row's tokens";
      break;
    case Aggregation::sequence_sum:
      divisor = rows;
      name = "update_rows";
      break;
    case Aggregation::maximum_length:
      divisor = rows * static_cast<double>(update.maximum_tokens);
      name = "update_rows times maximum_tokens";
      break;
  }
  if (!(divisor > 0))
    throw std::invalid_argument(std::string(name) + ": expected a positive divisor for the loss, found " +
                                std::to_string(divisor));
  return 1 / divisor;
}

}  // namespace retort::rl
