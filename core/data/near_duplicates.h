// Texts that say nearly the same as an earlier one, found in one pass: MinHash signatures cut into bands (Broder 1997;
// Indyk and Motwani 1998), and for what meets in a band the sets themselves compared.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

namespace retort::data {

/// Sets that were kept, and the question whether a new one is near one of them. About 230 bytes a kept set of 15
/// shingles at a threshold of 0.8. Used by one thread at a time.
class NearDuplicates {
 public:
  /// `threshold`: the Jaccard similarity from which two sets are near, in (0, 1]. Throws std::invalid_argument.
  explicit NearDuplicates(double threshold);

  /// The number (from 0, in the order kept) of an earlier set of the same group that is near `shingles` (sorted, each
  /// once), or nothing: then the set is kept. What is found is near; of pairs at the threshold at most one in a hundred
  /// is missed, more only where over 64 kept sets of a group are half alike.
  std::optional<std::uint32_t> find_or_keep(const std::vector<std::uint32_t>& shingles, std::uint64_t group = 0);

  std::uint32_t kept() const { return static_cast<std::uint32_t>(places_.size()); }
  int bands() const { return bands_; }
  int rows() const { return rows_; }  ///< hashes a band

 private:
  struct Slot {
    std::uint32_t key = 0;     ///< of the band's hashes
    std::uint32_t number = 0;  ///< of the set, + 1; 0: free
  };
  struct Table {
    std::vector<Slot> slots;
    std::size_t used = 0;
    /// Where a key's search begins: any number of slots will do, so that a table grows by a quarter and not by itself.
    std::size_t first(std::uint32_t key) const { return (std::uint64_t{key} * slots.size()) >> 32U; }
    std::size_t next(std::size_t slot) const { return slot + 1 == slots.size() ? 0 : slot + 1; }
  };
  /// Where a kept set's shingles stand.
  struct Place {
    std::uint32_t piece, begin, count;
  };

  std::vector<std::uint32_t> band_keys(const std::vector<std::uint32_t>& shingles, std::uint64_t group) const;
  bool near(std::uint32_t number, const std::vector<std::uint32_t>& shingles) const;
  std::optional<std::uint32_t> find(const Table& table, std::uint32_t key, const std::vector<std::uint32_t>& shingles,
                                    std::uint64_t group) const;
  void keep(const std::vector<std::uint32_t>& shingles, std::uint64_t group);
  static void put(Table& table, std::uint32_t key, std::uint32_t number);
  static void grow(Table& table);

  double threshold_;
  int bands_ = 0, rows_ = 0;
  std::vector<std::uint64_t> multipliers_, addends_;  ///< [bands · rows]
  std::vector<Table> tables_;                         ///< [bands]
  std::vector<std::vector<std::uint32_t>> pieces_;    ///< shingles of kept sets, in pieces that never move
  std::vector<Place> places_;                         ///< of each kept set
  std::vector<std::uint64_t> groups_;                 ///< of each kept set
};

}  // namespace retort::data
