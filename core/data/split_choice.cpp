// Blocks of twenty rows, shuffled.
#include "data/split_choice.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "data/text_hash.h"

namespace retort::data {
namespace {

constexpr std::int64_t block_size = 20;

/// SplitMix64 (Steele et al. 2014).
std::uint64_t next_random(std::uint64_t& state) {
  std::uint64_t z = (state += 0x9E3779B97F4A7C15ULL);
  z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27U)) * 0x94D049BB133111EBULL;
  return z ^ (z >> 31U);
}

/// How many of block `number` a share gets, so that all blocks together come as near to it as they can.
std::int64_t part_of(double share, std::int64_t number) {
  const auto up_to = [&](std::int64_t blocks) {
    return static_cast<std::int64_t>(std::floor(share * static_cast<double>(block_size * blocks) + 0.5));
  };
  return up_to(number + 1) - up_to(number);
}

}  // namespace

std::string stratum_of(const task::Conversation& conversation) {
  std::set<std::string> names;
  for (const task::Message& message : conversation.messages)
    for (const task::IdentifiedCall& one : message.tool_calls) names.insert(one.call.name);
  std::string stratum;
  for (const std::string& name : names) stratum += name + "\n";
  return stratum;
}

void StratifiedChoice::fill(Stratum& stratum) const {
  const std::int64_t validation = part_of(shares_.validation, stratum.blocks);
  const std::int64_t test = part_of(shares_.test, stratum.blocks);
  std::vector<SplitName>& block = stratum.block;
  block.assign(static_cast<std::size_t>(std::max<std::int64_t>(block_size - validation - test, 0)), SplitName::train);
  block.insert(block.end(), static_cast<std::size_t>(validation), SplitName::validation);
  block.insert(block.end(), static_cast<std::size_t>(test), SplitName::test);
  for (std::size_t i = block.size(); i > 1; --i) std::swap(block[i - 1], block[next_random(stratum.random) % i]);
  const auto train = std::find(block.begin(), block.end(), SplitName::train);
  if (stratum.blocks == 0 && train != block.end()) std::iter_swap(train, block.end() - 1);
  ++stratum.blocks;
}

SplitName StratifiedChoice::next(const std::string& stratum) {
  const auto [place, added] = strata_.try_emplace(stratum);
  if (added) place->second.random = seed_ ^ text_hash(stratum);
  if (place->second.block.empty()) fill(place->second);
  const SplitName split = place->second.block.back();
  place->second.block.pop_back();
  return split;
}

std::size_t KnownTexts::slot_of(std::uint64_t hash) const {
  const std::uint64_t wanted = hash >> 2U;
  std::size_t slot = (hash >> 20U) & (table_.size() - 1);
  while (table_[slot] != 0 && (table_[slot] - 1) >> 2U != wanted) slot = (slot + 1) & (table_.size() - 1);
  return slot;
}

std::optional<SplitName> KnownTexts::find(std::uint64_t hash) const {
  const std::uint64_t entry = table_[slot_of(hash)];
  if (entry == 0) return std::nullopt;
  return static_cast<SplitName>((entry - 1) & 3U);
}

void KnownTexts::put(std::uint64_t hash, SplitName split) {
  std::uint64_t& entry = table_[slot_of(hash)];
  if (entry == 0 && entries_ >= most_entries) return;
  if (entry == 0) ++entries_;
  entry = ((hash >> 2U) << 2U | static_cast<std::uint64_t>(split)) + 1;
}

}  // namespace retort::data
