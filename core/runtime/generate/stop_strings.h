// Texts that end an answer, found in a stream of pieces wherever their borders fall. Knows nothing of tokens.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace retort::runtime {

/// Holds back what may become a stop string, so that nothing of one is ever given out. The stop string that is complete
/// first counts; of several that end together, the longest. Compares bytes.
class StopStrings {
 public:
  /// Throws std::invalid_argument for an empty one.
  explicit StopStrings(std::vector<std::string> stops);

  /// More text; returns what can be given out now. Nothing more after a stop string.
  std::string push(std::string_view text);
  /// The text is over: what was held back, since no stop string came of it.
  std::string finish();
  const std::optional<std::string>& found() const { return found_; }

 private:
  /// The longest stop string that `held_` ends with; null if there is none.
  const std::string* complete() const;
  /// Bytes at the end of `held_` that are the beginning of a stop string.
  std::size_t beginning() const;

  std::vector<std::string> stops_;  // longest first
  std::string held_;
  std::optional<std::string> found_;
};

}  // namespace retort::runtime
