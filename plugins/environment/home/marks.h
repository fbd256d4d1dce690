// Marks around the values in a text while it is being made: what the surface does to a text may change values too, and
// the marks say where they are. No mark stays in an utterance.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace retort::home {

constexpr char kCopied = '\x01';  ///< begins free text that is copied into the call
constexpr char kName = '\x02';    ///< the same of a proper name
constexpr char kSaid = '\x03';    ///< begins the words for a value that the call writes in its own way
constexpr char kEnd = '\x04';     ///< ends any of them; marks do not nest

inline bool is_mark(char c) {
  return c >= kCopied && c <= kEnd;
}

std::string marked(char mark, std::string_view words);
std::string without_marks(std::string_view text);
/// What stands between kCopied or kName and kEnd, in order.
std::vector<std::string> copied_spans(std::string_view text);

}  // namespace retort::home
