// The matching rules of Hugging Face tokenizers' added vocabulary (added_vocabulary.rs, find_matches): tokens are found
// from left to right, the longest at each place, and what was found is passed over even where it is then not taken.
#include "text/added_tokens.h"

#include <utf8proc.h>

#include <algorithm>
#include <utility>

#include "text/regex.h"

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

bool is_white_space(utf8proc_int32_t character) {
  if ((character >= 0x09 && character <= 0x0D) || character == 0x85) return true;
  const auto category = utf8proc_category(character);
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL || category == UTF8PROC_CATEGORY_ZP;
}

bool stands_alone(std::string_view text, std::size_t begin, std::size_t end) {
  if (begin > 0 && begins_with_word_character(text.substr(begin_of_character_before(text, begin)))) return false;
  return !begins_with_word_character(text.substr(end));
}

}  // namespace

bool begins_with_word_character(std::string_view text) {
  static const Regex word(R"([\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}])", Regex::Engine::pcre2);
  std::size_t end = text.empty() ? 0 : 1;
  while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) ++end;
  return Regex::Matches(word, text.substr(0, end)).next().has_value();
}

AddedTokenFinder::AddedTokenFinder(std::vector<AddedToken> tokens) : tokens_(std::move(tokens)) {
  for (std::size_t i = 0; i < tokens_.size(); ++i)
    by_first_byte_[static_cast<unsigned char>(tokens_[i].content[0])].push_back(i);
  for (auto& candidates : by_first_byte_)
    std::stable_sort(candidates.begin(), candidates.end(), [&](std::size_t a, std::size_t b) {
      return tokens_[a].content.size() > tokens_[b].content.size();
    });
}

const AddedToken* AddedTokenFinder::longest_at(std::string_view text, std::size_t place) const {
  for (const std::size_t i : by_first_byte_[static_cast<unsigned char>(text[place])])
    if (text.substr(place, tokens_[i].content.size()) == tokens_[i].content) return &tokens_[i];
  return nullptr;
}

void AddedTokenFinder::split(std::string_view text, bool parse_special,
                             const std::function<void(const Segment&)>& segment) const {
  std::size_t done = 0;  // may lie behind `place`: white space that a token took along is searched for tokens too
  for (std::size_t place = 0; !tokens_.empty() && place < text.size();) {
    const AddedToken* token = longest_at(text, place);
    if (token == nullptr) {
      ++place;
      continue;
    }
    std::size_t begin = place;
    std::size_t end = place += token->content.size();
    if (token->special && !parse_special) continue;
    if (token->single_word && !stands_alone(text, begin, end)) continue;
    while (token->strip_left && begin > done) {
      const std::size_t before = begin_of_character_before(text, begin);
      if (!is_white_space(character_at(text, before))) break;
      begin = before;
    }
    if (token->strip_left) begin = std::max(begin, done);
    while (token->strip_right && end < text.size() && is_white_space(character_at(text, end))) {
      do ++end;
      while (end < text.size() && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U);
    }
    if (begin > done) segment({text.substr(done, begin - done), nullptr});
    if (begin < end) segment({text.substr(begin, end - begin), token});
    done = end;
  }
  if (done < text.size()) segment({text.substr(done), nullptr});
}

}  // namespace retort::text
