// A compiled pattern of a tokenizer file. Such files are written for Oniguruma, and Oniguruma says what a pattern
// means; the few patterns that nearly all files share (shared_patterns.h) run on PCRE2, which is four times as fast and
// reads them alike. Search only; no captures.
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
  enum class Engine {
    of_the_pattern,  ///< PCRE2 for shared patterns, else Oniguruma
    oniguruma,
    pcre2,
  };
  /// Throws std::invalid_argument: pattern and the engine's reason.
  explicit Regex(const std::string& pattern, Engine engine = Engine::of_the_pattern);
  const std::string& pattern() const { return pattern_; }
  bool runs_on_pcre2() const { return pcre2_ != nullptr; }

  /// The matches in a text, in order, as Hugging Face tokenizers iterates over them: an empty one is left out directly
  /// behind a match. Borrows both; `text` must be valid UTF-8 (not checked again).
  class Matches {
   public:
    Matches(const Regex& regex, std::string_view text);
    /// Nothing after the last one. Throws std::runtime_error where the engine gives up (its limits on backtracking and
    /// memory).
    std::optional<Match> next();

   private:
    const Regex& regex_;
    std::string_view text_;
    std::size_t from_ = 0;
    std::optional<std::size_t> last_end_;
  };

 private:
  std::optional<Match> find_oniguruma(std::string_view text, std::size_t from) const;
  std::optional<Match> find_pcre2(std::string_view text, std::size_t from) const;

  std::string pattern_;
  std::shared_ptr<const void> oniguruma_;  ///< regex_t, or null
  std::shared_ptr<const void> pcre2_;      ///< pcre2_code, or null
};

/// The pattern that matches `literal` alone.
std::string quoted_for_regex(const std::string& literal);

}  // namespace retort::text
