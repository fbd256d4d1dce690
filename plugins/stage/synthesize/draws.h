// What a row is to be about, drawn from what the user gives: the same for the same seed and number, whatever else.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "task/call.h"

namespace retort::stages {

enum class RowKind : std::uint8_t { single, parallel, multi_step, missing_argument, no_call, text_reply };
constexpr std::size_t row_kinds = 6;
std::string_view name_of(RowKind kind);

/// Shares of the kinds; they need not add up to 1.
using Quotas = std::array<double, row_kinds>;

/// So many rows of each kind that the shares are met as well as whole rows can (largest remainders), in an order of the
/// seed. A kind that no tool can serve (`possible`) gives its rows to the others. Throws std::invalid_argument where
/// nothing is left.
std::vector<RowKind> kinds_of_rows(const Quotas& quotas, const std::array<bool, row_kinds>& possible, std::size_t rows,
                                   std::uint64_t seed);

/// SplitMix64 (Steele et al. 2014): a stream of its own for each row.
class Draws {
 public:
  Draws(std::uint64_t seed, std::uint64_t row) : state_(seed * 0x9E3779B97F4A7C15ULL + row * 0xD1B54A32D192ED03ULL) {}
  std::uint64_t next();
  std::size_t below(std::size_t count) { return static_cast<std::size_t>(next() % count); }
  double share() { return static_cast<double>(next() >> 11U) * 0x1.0p-53; }
  template <typename T>
  const T& one_of(const std::vector<T>& list) {
    return list[below(list.size())];
  }
  template <typename T>
  void shuffle(std::vector<T>& list) {
    for (std::size_t i = list.size(); i > 1; --i) std::swap(list[i - 1], list[below(i)]);
  }

 private:
  std::uint64_t state_;
};

/// What people of the data say: every list may be empty.
struct Samplers {
  std::vector<std::string> personas, topics, attributes;
  /// Values of an argument, by its name or by "tool.argument".
  std::map<std::string, std::vector<nlohmann::json>> values;
  std::size_t least_distractors = 1, most_distractors = 4;
};

struct RowPlan {
  RowKind kind = RowKind::single;
  std::string persona, topic, attribute;
  std::vector<std::size_t> tools;  ///< numbers of those to call, in order; one may stand twice where calls are parallel
  std::vector<std::size_t> distractors;
  std::map<std::string, nlohmann::json> values;  ///< by the argument's name, of the first tool
  std::string missing;                           ///< the argument that is not said
};

/// `tools` not empty.
RowPlan plan_of(RowKind kind, const std::vector<task::Tool>& tools, const Samplers& samplers, Draws& draws);

/// Which kinds the tools can serve: missing_argument needs one with a required argument.
std::array<bool, row_kinds> possible_kinds(const std::vector<task::Tool>& tools);

/// {"argument": [values], "tool.argument": [values]}. Throws std::invalid_argument.
std::map<std::string, std::vector<nlohmann::json>> values_from_json(const nlohmann::json& json);

}  // namespace retort::stages
