// Words by utf8proc's categories, and their hashes.
#include "data/text_words.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <utility>

#include "data/text_hash.h"

namespace retort::data {
namespace {

bool part_of_word(utf8proc_int32_t character) {
  switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return true;
    default:
      return false;
  }
}

/// Han, kana and Hangul's neighbours are written without spaces: the blocks from the radicals to the compatibility
/// ideographs, but for Hangul's syllables, and the supplementary ideographic planes.
bool word_of_its_own(utf8proc_int32_t character) {
  return (character >= 0x2E80 && character < 0xA000) || (character >= 0xF900 && character < 0xFB00) ||
         (character >= 0x20000 && character < 0x40000);
}

bool apostrophe(utf8proc_int32_t character) {
  return character == '\'' || character == 0x2019;
}

struct FreeBytes {
  void operator()(utf8proc_uint8_t* bytes) const { std::free(bytes); }
};

void add_words(std::string_view text, std::vector<std::string>& words) {
  const auto options =
      static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT | UTF8PROC_CASEFOLD);
  utf8proc_uint8_t* mapped = nullptr;
  const utf8proc_ssize_t length = utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                               static_cast<utf8proc_ssize_t>(text.size()), &mapped, options);
  const std::unique_ptr<utf8proc_uint8_t, FreeBytes> folded(mapped);
  if (length < 0) {  // not UTF-8: its ASCII words
    const auto letter = [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    };
    std::string word;
    for (const char c : text) {
      if (letter(c))
        word += static_cast<char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
      else if (!word.empty())
        words.push_back(std::exchange(word, {}));
    }
    if (!word.empty()) words.push_back(std::move(word));
    return;
  }
  std::string word;
  for (utf8proc_ssize_t at = 0; at < length;) {
    utf8proc_int32_t character = 0;
    const utf8proc_ssize_t width = utf8proc_iterate(mapped + at, length - at, &character);
    const auto* bytes = reinterpret_cast<const char*>(mapped + at);
    at += width;
    if (word_of_its_own(character) && part_of_word(character)) {
      if (!word.empty()) words.push_back(std::exchange(word, {}));
      words.emplace_back(bytes, static_cast<std::size_t>(width));
    } else if (part_of_word(character)) {
      word.append(bytes, static_cast<std::size_t>(width));
    } else if (!apostrophe(character) && !word.empty()) {
      words.push_back(std::exchange(word, {}));
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
}

}  // namespace

std::vector<std::string> words_of(std::string_view text) {
  std::vector<std::string> words;
  add_words(text, words);
  return words;
}

std::vector<std::string> words_of(const task::Conversation& conversation) {
  std::vector<std::string> words;
  for (const task::Message& message : conversation.messages)
    if (message.role == task::Role::user) add_words(message.content, words);
  return words;
}

std::uint64_t hash_of(const std::vector<std::string>& words, std::size_t begin, std::size_t end) {
  std::uint64_t hash = text_hash("");
  for (std::size_t i = begin; i < end; ++i) hash = text_hash("\x1F", text_hash(words[i], hash));
  return hash;
}

std::vector<std::uint32_t> shingles_of(const std::vector<std::string>& words) {
  std::vector<std::uint32_t> shingles;
  shingles.reserve(2 * words.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    for (std::size_t length = 1; length <= 2 && i + length <= words.size(); ++length) {
      const std::uint64_t hash = hash_of(words, i, i + length);
      shingles.push_back(static_cast<std::uint32_t>(hash ^ (hash >> 32U)));
    }
  std::sort(shingles.begin(), shingles.end());
  shingles.erase(std::unique(shingles.begin(), shingles.end()), shingles.end());
  return shingles;
}

double jaccard(const std::uint32_t* a, std::size_t a_count, const std::uint32_t* b, std::size_t b_count) {
  std::size_t i = 0, j = 0, common = 0;
  while (i < a_count && j < b_count) {
    if (a[i] == b[j]) {
      ++common;
      ++i;
      ++j;
    } else if (a[i] < b[j]) {
      ++i;
    } else {
      ++j;
    }
  }
  const std::size_t all = a_count + b_count - common;
  return all == 0 ? 1 : static_cast<double>(common) / static_cast<double>(all);
}

}  // namespace retort::data
