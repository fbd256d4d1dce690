// New labelled examples from old ones: values of free-text arguments that stand in the utterance word for word change
// places between examples, in the utterance and in the call alike. Teaches a small model to copy what it has not seen.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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

/// The originals in their order, then new examples with distinct utterances and metadata "augmented": true, whose calls
/// fit the tools. Never makes an utterance of `held_out` (those of validation and test). Fewer than asked for when
/// there are not so many. Same arguments, same result.
std::vector<task::Example> augment(const std::vector<task::Example>& examples, const std::vector<task::Tool>& tools,
                                   const AugmentOptions& options, const std::vector<task::Example>& held_out = {});

}  // namespace retort::stages
