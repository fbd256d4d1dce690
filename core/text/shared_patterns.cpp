// See shared_patterns.h.
#include "text/shared_patterns.h"

#include <algorithm>

#include "text/regex.h"

namespace retort::text {
namespace {

constexpr std::string_view special_characters = "\\^$.[|()?*+{}-]#";

bool is_literal(std::string_view pattern) {
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const bool escaped = pattern[i] == '\\';
    if (escaped && ++i == pattern.size()) return false;
    if ((special_characters.find(pattern[i]) != std::string_view::npos) != escaped) return false;
  }
  return !pattern.empty();
}

}  // namespace

const char gpt2_pattern[] = R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
const char qwen2_pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char llama3_pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

const std::vector<std::string>& shared_patterns() {
  static const std::vector<std::string> patterns = {gpt2_pattern, qwen2_pattern,   llama3_pattern, R"(\p{N}+)",
                                                    R"(\p{N})",   R"(\p{N}{1,3})", R"(\s+)"};
  return patterns;
}

bool is_shared_pattern(std::string_view pattern) {
  const auto& known = shared_patterns();
  return std::find(known.begin(), known.end(), pattern) != known.end() || is_literal(pattern);
}

std::string quoted_for_regex(const std::string& literal) {
  std::string pattern;
  for (const char c : literal) {
    if (special_characters.find(c) != std::string_view::npos) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

}  // namespace retort::text
