// New labelled examples from old ones: values of free-text arguments that stand in the utterance word for word change
// places between examples, in the utterance and in the call alike. Teaches a small model to copy what it has not seen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/seen_texts.h"
#include "task/dataset.h"
#include "value_lists.h"

namespace retort::stages {

struct AugmentOptions {
  double factor = 2.0;              ///< size of the result, as a multiple of the input; 1 adds nothing
  double swap_share = 0.5;          ///< chance of each value of a chosen example to be swapped; one at least is
  double random_share = 0.0;        ///< of the swaps: the new value is a row of words taken from any values; 0 is off
  std::int64_t longest_random = 4;  ///< words of such a row at most
  double own_words_share = 0.0;     ///< of those rows: words taken from values of the same argument; 0 is off
  double spliced_share = 0.0;       ///< of those words: the head of one known word and the tail of another; 0 is off
  std::vector<std::string> random_arguments;  ///< arguments that get such rows; empty: every free-text one
  /// Multiplies random_share, argument by argument, by the share of its values that stand once in the data: how
  /// probable a value is that training does not hold (Good 1953, "The population frequencies of species").
  bool by_novelty = false;
  /// Tools draw the values of an argument of this name from each other; "*": of every name.
  std::vector<std::string> shared_arguments;
  ValueLists value_lists;     ///< values from elsewhere; empty is off
  double listed_share = 0.5;  ///< of the swaps of an argument that has such a list: how many take their value from it
  bool closed = false;        ///< swap values of arguments with an enum too; the wording may depend on these
  std::uint64_t seed = 0;
};

/// Throws std::invalid_argument where random_arguments or shared_arguments name what no tool has as an argument: the
/// list, the name, and the nearest argument.
void require_known_arguments(const AugmentOptions& options, const std::vector<task::Tool>& tools);

/// A value that can be swapped: a string argument, or one string of an argument that is a list.
struct SwapSite {
  std::size_t call = 0;
  std::string argument;
  std::int64_t item = -1;  ///< index in a list; -1 where the argument is the string itself
  std::size_t begin = 0;   ///< bytes of the utterance, [begin, end)
  std::size_t end = 0;
};

/// The sites of an example, by place: values that stand exactly once in the utterance, as whole words, apart from each
/// other. Unlabelled examples have none, and neither have those with earlier turns or tools of their own, where a value
/// may stand in several messages.
std::vector<SwapSite> swap_sites(const task::Example& example, const std::vector<task::Tool>& tools, bool closed);

/// Makes new examples in two passes: all originals are taken, then new ones are made of those that have sites, which
/// wait in a file. Holds the different values, 12 bytes an utterance and 8 an original. Same arguments, same result.
/// Used by one thread at a time.
class Augmenter {
 public:
  using Place = std::pair<std::string, std::string>;  ///< tool, argument
  /// Tools and options are borrowed. `sources` is written, and removed with the object. Throws std::runtime_error,
  /// here and below, where it cannot be written or read.
  Augmenter(const std::vector<task::Tool>& tools, const AugmentOptions& options, std::filesystem::path sources);
  ~Augmenter();
  Augmenter(const Augmenter&) = delete;
  Augmenter& operator=(const Augmenter&) = delete;

  void take(const task::Example& original);
  void know(const std::string& utterance);  ///< is never made: one of validation or test
  /// Once, after all originals: examples with new, distinct utterances and metadata "augmented": true, whose calls fit
  /// the tools. Returns how many, which may be fewer than asked for.
  std::size_t make(const std::function<void(const task::Example& example)>& keep);

 private:
  using Pools = std::map<Place, std::vector<std::string>>;
  void close_pools();
  void expect_good() const;
  task::Example source(std::size_t number);
  task::Example changed();
  bool valid(const task::Example& example) const;
  Place pool_of(const Place& place) const;
  std::string new_value(const Place& place);
  bool takes_random(const Place& place) const;
  std::string word(const std::vector<std::string>& words);

  const std::vector<task::Tool>& tools_;
  const AugmentOptions& options_;
  std::mt19937_64 random_;
  std::filesystem::path path_;
  std::fstream file_;
  std::vector<std::uint64_t> sources_;  ///< where each begins in the file
  std::uint64_t written_ = 0;
  std::size_t originals_ = 0;
  data::SeenTexts utterances_;
  std::map<Place, std::map<std::string, std::size_t>> counts_;  ///< how often each value stands
  std::map<Place, std::set<std::string>> seen_words_;
  Pools values_;
  Pools words_;
  std::map<Place, double> novelty_;  ///< share of the values that stand once
};

}  // namespace retort::stages
