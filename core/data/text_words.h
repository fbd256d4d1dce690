// What two texts are compared by: their words, and sets of hashes of words and pairs of words.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "task/conversation.h"

namespace retort::data {

/// Words of `text` after NFKC and case folding (UAX #15, Unicode's full case folding): runs of letters, marks and
/// digits; apostrophes inside a word are left out; each ideograph or kana is a word. Bytes that are not UTF-8 separate
/// words.
std::vector<std::string> words_of(std::string_view text);

/// The words of all user messages of a conversation, in their order.
std::vector<std::string> words_of(const task::Conversation& conversation);

/// FNV-1a over the words with a separator, 64 bits: the same on every machine.
std::uint64_t hash_of(const std::vector<std::string>& words, std::size_t begin, std::size_t end);

/// Hashes of the words and of the pairs of neighbours, sorted, each once.
std::vector<std::uint32_t> shingles_of(const std::vector<std::string>& words);

/// |a ∩ b| / |a ∪ b| of sorted sets; 1 for two empty ones.
double jaccard(const std::uint32_t* a, std::size_t a_count, const std::uint32_t* b, std::size_t b_count);

}  // namespace retort::data
