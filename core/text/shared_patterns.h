// Patterns that Oniguruma and PCRE2 read alike. They use nothing but literal characters, alternatives, (?i:…), (?!…),
// classes of such characters, \p{L}, \p{N}, \s, \S, and greedy quantifiers without a sign behind them. PCRE2 10.46 has
// these classes as Hugging Face tokenizers 0.23.3 has them (Unicode 16, compared on all characters); Debian's Oniguruma
// 6.9.9 has Unicode 15.1. A test compares the engines.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace retort::text {

/// GPT-2's (Radford et al. 2019, encoder.py), built into ByteLevel with use_regex.
extern const char gpt2_pattern[];
/// Qwen2's and Llama 3's, which differ in how many digits may stand together.
extern const char qwen2_pattern[];
extern const char llama3_pattern[];

const std::vector<std::string>& shared_patterns();
/// One of those, or a literal as quoted_for_regex writes it.
bool is_shared_pattern(std::string_view pattern);

}  // namespace retort::text
