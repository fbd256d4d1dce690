// Formulas as in Transformers' modeling_rope_utils, which the published checkpoints were made with.
#include "model/rope_scaling.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace retort::model {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t greatest_scaled_positions = std::int64_t{1} << 30;

double positive(const host::JsonCursor& cursor, const char* key) {
  const double value = cursor.at(key).number();
  if (!(value > 0)) cursor.at(key).refuse("a number above 0");
  return value;
}

double positive_or(const host::JsonCursor& cursor, const char* key, double absent) {
  return cursor.has(key) ? positive(cursor, key) : absent;
}

RopeType type_of(const host::JsonCursor& cursor) {
  const char* key = cursor.has("rope_type") ? "rope_type" : "type";
  const std::string name = cursor.at(key).string();
  if (name == "default") return RopeType::standard;
  if (name == "linear") return RopeType::linear;
  if (name == "llama3") return RopeType::llama3;
  if (name == "yarn") return RopeType::yarn;
  cursor.at(key).refuse("\"default\", \"linear\", \"llama3\" or \"yarn\" (other scalings are not implemented)");
}

const char* name_of(RopeType type) {
  switch (type) {
    case RopeType::linear:
      return "linear";
    case RopeType::llama3:
      return "llama3";
    case RopeType::yarn:
      return "yarn";
    default:
      return "default";
  }
}

double temperature(double factor, double scale) {
  return factor <= 1 ? 1.0 : 0.1 * scale * std::log(factor) + 1.0;
}

double yarn_attention_factor(const host::JsonCursor& cursor, double factor) {
  if (cursor.has("attention_factor")) return positive(cursor, "attention_factor");
  const double scale = cursor.has("mscale") ? cursor.at("mscale").number() : 0;
  const double scale_all = cursor.has("mscale_all_dim") ? cursor.at("mscale_all_dim").number() : 0;
  if (scale != 0 && scale_all != 0) return temperature(factor, scale) / temperature(factor, scale_all);
  return temperature(factor, 1);
}

double llama3_frequency(const RopeScaling& scaling, double frequency) {
  const auto length = static_cast<double>(scaling.original_positions);
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength < length / scaling.high_frequency_factor) return frequency;
  if (wavelength > length / scaling.low_frequency_factor) return frequency / scaling.factor;
  const double kept = (length / wavelength - scaling.low_frequency_factor) /
                      (scaling.high_frequency_factor - scaling.low_frequency_factor);
  return (1 - kept) * frequency / scaling.factor + kept * frequency;
}

/// Where YaRN's ramp from kept to divided frequencies begins and ends, in pairs of dimensions.
struct Ramp {
  double first = 0, last = 0;
  /// 0: kept; 1: divided.
  double at(std::int64_t pair) const {
    return std::clamp((static_cast<double>(pair) - first) / (last - first), 0.0, 1.0);
  }
};

Ramp yarn_ramp(const RopeScaling& scaling, double theta, std::int64_t head_dim) {
  // The dimension that turns `turns` times within the trained length.
  const auto dimension = [&](double turns) {
    return static_cast<double>(head_dim) *
           std::log(static_cast<double>(scaling.original_positions) / (turns * 2 * std::numbers::pi)) /
           (2 * std::log(theta));
  };
  Ramp ramp{dimension(scaling.beta_fast), dimension(scaling.beta_slow)};
  if (scaling.truncate) ramp = {std::floor(ramp.first), std::ceil(ramp.last)};
  ramp.first = std::max(ramp.first, 0.0);
  ramp.last = std::min(ramp.last, static_cast<double>(head_dim - 1));
  constexpr double singular = 0.001;
  if (ramp.first == ramp.last) ramp.last += singular;
  return ramp;
}

}  // namespace

RopeScaling rope_scaling_from_json(const host::JsonCursor& cursor, std::int64_t max_positions) {
  RopeScaling scaling;
  scaling.type = type_of(cursor.object());
  if (scaling.type == RopeType::standard) return scaling;
  const char* original = "original_max_position_embeddings";
  if (scaling.type == RopeType::yarn || scaling.type == RopeType::llama3)
    scaling.original_positions = scaling.type == RopeType::llama3 || cursor.has(original)
                                     ? cursor.at(original).integer(1, greatest_scaled_positions)
                                     : max_positions;
  scaling.factor = scaling.type == RopeType::yarn && !cursor.has("factor")
                       ? static_cast<double>(max_positions) / static_cast<double>(scaling.original_positions)
                       : positive(cursor, "factor");
  if (scaling.type == RopeType::llama3) {
    scaling.low_frequency_factor = positive(cursor, "low_freq_factor");
    scaling.high_frequency_factor = positive(cursor, "high_freq_factor");
    if (!(scaling.high_frequency_factor > scaling.low_frequency_factor))
      cursor.at("high_freq_factor").refuse("a number above low_freq_factor");
  }
  if (scaling.type == RopeType::yarn) {
    scaling.beta_fast = positive_or(cursor, "beta_fast", scaling.beta_fast);
    scaling.beta_slow = positive_or(cursor, "beta_slow", scaling.beta_slow);
    if (scaling.beta_fast < scaling.beta_slow) cursor.refuse("a beta_fast of at least beta_slow");
    if (cursor.has("truncate")) scaling.truncate = cursor.at("truncate").boolean();
    scaling.attention_factor = yarn_attention_factor(cursor, scaling.factor);
  }
  return scaling;
}

Json to_json(const RopeScaling& scaling) {
  if (scaling.type == RopeType::standard) return nullptr;
  Json json = {{"rope_type", name_of(scaling.type)}, {"factor", scaling.factor}};
  if (scaling.type == RopeType::linear) return json;
  json["original_max_position_embeddings"] = scaling.original_positions;
  if (scaling.type == RopeType::llama3) {
    json["low_freq_factor"] = scaling.low_frequency_factor;
    json["high_freq_factor"] = scaling.high_frequency_factor;
  } else {
    json["beta_fast"] = scaling.beta_fast;
    json["beta_slow"] = scaling.beta_slow;
    json["truncate"] = scaling.truncate;
    json["attention_factor"] = scaling.attention_factor;
  }
  return json;
}

std::vector<double> rope_frequencies(const RopeScaling& scaling, double theta, std::int64_t head_dim) {
  const Ramp ramp = scaling.type == RopeType::yarn ? yarn_ramp(scaling, theta, head_dim) : Ramp{0, 1};
  std::vector<double> frequencies;
  for (std::int64_t pair = 0; pair < head_dim / 2; ++pair) {
    const double plain = std::pow(theta, -2.0 * static_cast<double>(pair) / static_cast<double>(head_dim));
    double frequency = plain;
    if (scaling.type == RopeType::linear) frequency = plain / scaling.factor;
    if (scaling.type == RopeType::llama3) frequency = llama3_frequency(scaling, plain);
    if (scaling.type == RopeType::yarn)
      frequency = plain / scaling.factor * ramp.at(pair) + plain * (1 - ramp.at(pair));
    frequencies.push_back(frequency);
  }
  return frequencies;
}

}  // namespace retort::model
