// A compiled PCRE2 pattern over UTF-8 (Unicode properties, JIT). Search only; no captures, no replacement.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace retort::text {

struct Match {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Immutable; may be used from any thread.
class Regex {
 public:
  /// Throws std::invalid_argument: pattern, place, PCRE2's reason.
  explicit Regex(const std::string& pattern);
  const std::string& pattern() const { return pattern_; }

  /// The first match at or after byte `from`. `text` must be valid UTF-8 (not checked again) and `from` a character's
  /// begin. Throws std::runtime_error where PCRE2 gives up (its limit on backtracking, or memory).
  std::optional<Match> find(std::string_view text, std::size_t from = 0) const;

 private:
  std::string pattern_;
  std::shared_ptr<const void> code_;
};

}  // namespace retort::text
