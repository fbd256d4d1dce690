// The matching rules of Hugging Face tokenizers' added vocabulary.
#include "text/added_tokens.h"

#include <utf8proc.h>

#include <algorithm>
#include <utility>

namespace retort::text {
namespace {

/// The character that begins at `place`.
utf8proc_int32_t character_at(std::string_view text, std::size_t place) {
  utf8proc_int32_t character = -1;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + place,
                   static_cast<utf8proc_ssize_t>(text.size() - place), &character);
  return character;
}

std::size_t begin_of_character_before(std::string_view text, std::size_t place) {
  do --place;
  while (place > 0 && (static_cast<unsigned char>(text[place]) & 0xC0U) == 0x80U);
  return place;
}

/// \w of Rust's regex crate, near enough: letters, marks, decimal digits, connector punctuation.
bool is_word_character(utf8proc_int32_t character) {
  switch (utf8proc_category(character)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      return false;
  }
}

bool is_white_space(utf8proc_int32_t character) {
  if ((character >= 0x09 && character <= 0x0D) || character == 0x85) return true;
  const auto category = utf8proc_category(character);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin > 0 && is_word_character(character_at(text, begin_of_character_before(text, begin)))) return false;
  return end == text.size() || !is_word_character(character_at(text, end));
}

}  // namespace

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (std::size_t i = 0; i < tokens_.size(); ++i)
    by_first_byte_[static_cast<unsigned char>(tokens_[i].content[0])].push_back(i);
  for (auto& candidates : by_first_byte_)
    std::stable_sort(candidates.begin(), candidates.end(), [&](std::size_t a, std::size_t b) {
      return tokens_[a].content.size() > tokens_[b].content.size();
    });
}

const AddedToken* AddedTokenFinder::match_at(std::string_view text, std::size_t place, bool parse_special) const {
  for (const std::size_t i : by_first_byte_[static_cast<unsigned char>(text[place])]) {
    const AddedToken& token = tokens_[i];
    if (token.special && !parse_special) continue;
    if (text.substr(place, token.content.size()) != token.content) continue;
    if (token.single_word && !stands_alone(text, place, place + token.content.size())) continue;
    return &token;
  }
  return nullptr;
}

void AddedTokenFinder::split(std::string_view text, bool parse_special,
                             const std::function<void(const Segment&)>& segment) const {
  std::size_t done = 0;
  std::size_t place = 0;
  while (!tokens_.empty() && place < text.size()) {
    const AddedToken* token = match_at(text, place, parse_special);
    if (token == nullptr) {
      ++place;
      continue;
    }
    std::size_t begin = place;
    std::size_t end = place + token->content.size();
    while (token->strip_left && begin > done) {
      const std::size_t before = begin_of_character_before(text, begin);
      if (!is_white_space(character_at(text, before))) break;
      begin = before;
    }
    while (token->strip_right && end < text.size() && is_white_space(character_at(text, end))) {
      do ++end;
      while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U);
    }
    if (begin > done) segment({text.substr(done, begin - done), nullptr});
    segment({text.substr(begin, end - begin), token});
    done = place = end;
  }
  if (done < text.size()) segment({text.substr(done), nullptr});
}

}  // namespace retort::text
