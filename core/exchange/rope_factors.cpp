#include "exchange/rope_factors.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

namespace retort::exchange {
namespace {

constexpr std::int64_t published_original_positions = 8192;

std::vector<float> factors_of(const model::RopeScaling& scaling, double theta, std::int64_t head_dim) {
  const std::vector<double> plain = model::rope_frequencies({}, theta, head_dim);
  const std::vector<double> scaled = model::rope_frequencies(scaling, theta, head_dim);
  std::vector<float> factors;
  for (std::size_t i = 0; i < plain.size(); ++i) factors.push_back(static_cast<float>(plain[i] / scaled[i]));
  return factors;
}

bool agree(const std::vector<float>& a, const std::vector<float>& b) {
  constexpr float tolerance = 1e-4F;  // factors stand in f32; a wrong parameter changes them by far more
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](float x, float y) { return std::fabs(x - y) <= tolerance * std::fabs(y); });
}

/// Between the ends, 1/f = (1 − s)/factor + s with s = (L/wavelength − low)/(high − low): s is linear in L/wavelength,
/// so two such factors give low and high for a chosen L. Empty where there are no two.
std::optional<model::RopeScaling> solve(const std::vector<float>& factors, double theta, std::int64_t head_dim,
                                        model::RopeScaling scaling) {
  const std::vector<double> frequencies = model::rope_frequencies({}, theta, head_dim);
  struct Point {
    double turns, kept;  // L/wavelength, s
  };
  std::vector<Point> points;
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const double factor = factors[i];
    if (factor <= 1.0001 || factor >= scaling.factor * 0.9999) continue;
    const double turns = static_cast<double>(scaling.original_positions) * frequencies[i] / (2 * std::numbers::pi);
    points.push_back({turns, (1 / factor - 1 / scaling.factor) / (1 - 1 / scaling.factor)});
  }
  if (points.size() < 2) return std::nullopt;
  const double slope = (points.front().kept - points.back().kept) / (points.front().turns - points.back().turns);
  if (!(slope > 0)) return std::nullopt;
  const double low = points.back().turns - points.back().kept / slope;
  const double high = low + 1 / slope;
  if (!(low > 0)) return std::nullopt;
  // Published parameters are whole; what is left of rounding must not show in config.json.
  const auto tidy = [](double value) {
    const double nearest = std::round(value * 100) / 100;
    return std::fabs(value - nearest) < 1e-3 * value ? nearest : value;
  };
  scaling.low_frequency_factor = tidy(low);
  scaling.high_frequency_factor = tidy(high);
  return scaling;
}

}  // namespace

std::vector<float> rope_factors(const model::ModelConfig& config) {
  if (config.rope_scaling.type != model::RopeType::llama3) return {};
  return factors_of(config.rope_scaling, config.rope_theta, config.head_dim);
}

model::RopeScaling rope_scaling_of_factors(const std::vector<float>& factors, double theta, std::int64_t head_dim,
                                           std::int64_t original_positions, const std::string& origin) {
  model::RopeScaling scaling;
  scaling.type = model::RopeType::llama3;
  scaling.original_positions = original_positions > 0 ? original_positions : published_original_positions;
  scaling.factor = factors.empty() ? 0 : double{*std::max_element(factors.begin(), factors.end())};
  if (std::isfinite(scaling.factor) && scaling.factor >= 1) {
    if (agree(factors, factors_of(scaling, theta, head_dim))) return scaling;
    const auto solved = solve(factors, theta, head_dim, scaling);
    if (solved && agree(factors, factors_of(*solved, theta, head_dim))) return *solved;
  }
  throw std::invalid_argument(origin + ": tensor 'rope_freqs.weight': expected " + std::to_string(head_dim / 2) +
                              " factors of a llama3 scaling, found " + std::to_string(factors.size()) + " others");
}

}  // namespace retort::exchange
