// Which split a row goes to, decided when it comes: one pass, constant memory, the same for the same seed.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "task/conversation.h"

namespace retort::data {

enum class SplitName : std::uint8_t { train, validation, test };

struct SplitShares {
  double validation = 0;  ///< of the rows, in [0,1]; 0: none
  double test = 0;
};

/// Stratified: of each stratum's every 20 rows as many as the shares ask for are drawn, wherever rows lie in the file.
/// The first row of a stratum is trained on, so that no tool is only tested.
class StratifiedChoice {
 public:
  StratifiedChoice(SplitShares shares, std::uint64_t seed) : shares_(shares), seed_(seed) {}
  SplitName next(const std::string& stratum);

 private:
  struct Stratum {
    std::int64_t blocks = 0;
    std::vector<SplitName> block;  ///< of the rows to come, last first
    std::uint64_t random = 0;
  };
  void fill(Stratum& stratum) const;

  SplitShares shares_;
  std::uint64_t seed_;
  std::map<std::string, Stratum> strata_;
};

/// What rows of a split must say alike: the tools that are called anywhere in them, in any order.
std::string stratum_of(const task::Conversation& conversation);

/// Where texts were put, for the first 750,000 different ones: 8 MiB, whatever the data.
class KnownTexts {
 public:
  KnownTexts() : table_(std::size_t{1} << 20U) {}
  std::optional<SplitName> find(std::uint64_t hash) const;
  void put(std::uint64_t hash, SplitName split);

 private:
  static constexpr std::size_t most_entries = 750'000;
  std::size_t slot_of(std::uint64_t hash) const;

  std::vector<std::uint64_t> table_;  ///< hash with its last two bits telling the split, + 1; 0: free
  std::size_t entries_ = 0;
};

}  // namespace retort::data
