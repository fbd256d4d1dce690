// MinHash with bands in open hash tables.
#include "data/near_duplicates.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <string>
#include <utility>

#include "data/text_words.h"

namespace retort::data {
namespace {

constexpr int most_hashes = 64;
constexpr double wanted_recall = 0.99;
constexpr std::size_t first_slots = 1024;
constexpr std::size_t piece_size = std::size_t{1} << 18U;  // shingles
/// Sets of one band's key that are kept and compared. More share a key only where very many texts are half alike.
constexpr int most_compared = 64;

std::uint64_t mixed(std::uint64_t value) {  // the finaliser of SplitMix64
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9ULL;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBULL;
  return value ^ (value >> 31U);
}

}  // namespace

NearDuplicates::NearDuplicates(double threshold) : threshold_(threshold) {
  if (!(threshold > 0 && threshold <= 1))
    throw std::invalid_argument("near duplicates: expected a similarity in (0, 1], found " + std::to_string(threshold));
  // The longest bands that still find a pair at the threshold: 1 − (1 − t^rows)^bands.
  for (rows_ = 8; rows_ > 1; --rows_) {
    bands_ = most_hashes / rows_;
    if (1 - std::pow(1 - std::pow(threshold, rows_), bands_) >= wanted_recall) break;
  }
  bands_ = most_hashes / rows_;
  std::mt19937_64 random(0x6D696E68617368ULL);
  for (int i = 0; i < bands_ * rows_; ++i) {
    multipliers_.push_back(random() | 1U);
    addends_.push_back(random());
  }
  tables_.resize(static_cast<std::size_t>(bands_));
  for (Table& table : tables_) table.slots.resize(first_slots);
}

std::vector<std::uint32_t> NearDuplicates::band_keys(const std::vector<std::uint32_t>& shingles,
                                                     std::uint64_t group) const {
  std::vector<std::uint32_t> keys(static_cast<std::size_t>(bands_));
  for (std::size_t band = 0; band < keys.size(); ++band) {
    std::uint64_t key = mixed(group + band);
    for (int row = 0; row < rows_; ++row) {
      const std::size_t hash = band * static_cast<std::size_t>(rows_) + static_cast<std::size_t>(row);
      const std::uint64_t multiplier = multipliers_[hash], addend = addends_[hash];
      auto least = std::numeric_limits<std::uint32_t>::max();
      for (const std::uint32_t shingle : shingles)  // multiply-add-shift (Dietzfelbinger 1996)
        least = std::min(least, static_cast<std::uint32_t>((multiplier * shingle + addend) >> 32U));
      key = mixed(key * 0x9E3779B97F4A7C15ULL + least);
    }
    keys[band] = static_cast<std::uint32_t>(key >> 32U);
  }
  return keys;
}

bool NearDuplicates::near(std::uint32_t number, const std::vector<std::uint32_t>& shingles) const {
  const Place& place = places_[number];
  return jaccard(pieces_[place.piece].data() + place.begin, place.count, shingles.data(), shingles.size()) >=
         threshold_;
}

std::optional<std::uint32_t> NearDuplicates::find(const Table& table, std::uint32_t key,
                                                  const std::vector<std::uint32_t>& shingles,
                                                  std::uint64_t group) const {
  for (std::size_t slot = table.first(key); table.slots[slot].number != 0; slot = table.next(slot)) {
    if (table.slots[slot].key != key) continue;
    const std::uint32_t number = table.slots[slot].number - 1;
    if (groups_[number] == group && near(number, shingles)) return number;
  }
  return std::nullopt;
}

void NearDuplicates::put(Table& table, std::uint32_t key, std::uint32_t number) {
  std::size_t slot = table.first(key);
  int same = 0;
  for (; table.slots[slot].number != 0; slot = table.next(slot))
    if (table.slots[slot].key == key && ++same == most_compared) return;
  table.slots[slot] = {key, number + 1};
  ++table.used;
}

void NearDuplicates::grow(Table& table) {
  Table larger;
  larger.slots.resize(table.slots.size() + table.slots.size() / 4);
  larger.used = table.used;
  for (const Slot& one : table.slots) {
    if (one.number == 0) continue;
    std::size_t slot = larger.first(one.key);
    while (larger.slots[slot].number != 0) slot = larger.next(slot);
    larger.slots[slot] = one;
  }
  table = std::move(larger);
}

void NearDuplicates::keep(const std::vector<std::uint32_t>& shingles, std::uint64_t group) {
  if (pieces_.empty() || pieces_.back().capacity() - pieces_.back().size() < shingles.size()) {
    pieces_.emplace_back();
    pieces_.back().reserve(std::max(piece_size, shingles.size()));
  }
  std::vector<std::uint32_t>& piece = pieces_.back();
  places_.push_back({static_cast<std::uint32_t>(pieces_.size() - 1), static_cast<std::uint32_t>(piece.size()),
                     static_cast<std::uint32_t>(shingles.size())});
  piece.insert(piece.end(), shingles.begin(), shingles.end());
  groups_.push_back(group);
}

std::optional<std::uint32_t> NearDuplicates::find_or_keep(const std::vector<std::uint32_t>& shingles,
                                                          std::uint64_t group) {
  const std::vector<std::uint32_t> keys = band_keys(shingles, group);
  std::optional<std::uint32_t> first;
  for (std::size_t band = 0; band < keys.size(); ++band) {
    const auto found = find(tables_[band], keys[band], shingles, group);
    if (found && (!first || *found < *first)) first = found;
  }
  if (first) return first;
  const std::uint32_t number = kept();
  keep(shingles, group);
  for (std::size_t band = 0; band < keys.size(); ++band) {
    if (tables_[band].used * 10 >= tables_[band].slots.size() * 8) grow(tables_[band]);
    put(tables_[band], keys[band], number);
  }
  return std::nullopt;
}

}  // namespace retort::data
