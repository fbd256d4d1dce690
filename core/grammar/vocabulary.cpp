// See vocabulary.h.
#include "grammar/vocabulary.h"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>

#include "grammar/text_reader.h"
#include "schema/code_points.h"

namespace retort::grammar {
namespace {

constexpr std::size_t longest_in_trie = 255;

bool is_plain(std::uint32_t character) {
  return character <= 0x10FFFF && character >= 0x20 && character != 0x7F && character != '"' && character != '\\' &&
         character != 0x2028 && character != 0x2029 && (character < 0xD800 || character > 0xDFFF);
}

/// Characters of a token that any free string takes as it stands; 0 for another token.
std::uint32_t plain_characters(std::string_view bytes) {
  std::uint32_t count = 0;
  for (std::size_t at = 0; at < bytes.size(); ++count) {
    const std::uint32_t character = schema::next_character(bytes, at);
    if (!is_plain(character)) return 0;
  }
  return count;
}

bool controls_first(std::string_view bytes) {
  for (std::size_t at = 0; at < bytes.size();)
    if (const std::uint32_t character = schema::next_character(bytes, at); !is_plain(character))
      return character < 0x20;
  return false;
}

bool named_like_special(std::string_view text) {
  return text.size() > 2 && text.front() == '<' && text.back() == '>';
}

}  // namespace

TokenTrie::TokenTrie(const std::vector<std::pair<std::string, TokenId>>& tokens) {
  std::vector<std::size_t> open;  // nodes from the root to the last one
  const auto close = [&](std::size_t depth) {
    for (; open.size() > depth; open.pop_back())
      nodes_[open.back()].size_and_depth |= static_cast<std::uint32_t>(nodes_.size() - open.back()) << 8U;
  };
  std::string_view last;
  for (const auto& [bytes, token] : tokens) {
    const auto shared = static_cast<std::size_t>(
        std::mismatch(last.begin(), last.end(), bytes.begin(), bytes.end()).first - last.begin());
    close(shared);
    for (std::size_t depth = shared; depth < bytes.size(); ++depth) {
      open.push_back(nodes_.size());
      nodes_.push_back({static_cast<std::uint8_t>(bytes[depth]), static_cast<std::uint32_t>(depth + 1)});
    }
    nodes_[open.back()].token_and_byte |= static_cast<std::uint32_t>(token + 1) << 8U;
    last = bytes;
  }
  close(0);
  if (nodes_.size() >= (1U << 24U)) throw std::invalid_argument("vocabulary: too large for a grammar");
}

Vocabulary::Vocabulary(const text::Tokenizer& tokenizer) {
  bytes_.resize(static_cast<std::size_t>(tokenizer.vocabulary_size()));
  for (TokenId id = 0; id < static_cast<TokenId>(bytes_.size()); ++id) {
    const std::string_view name = tokenizer.token(id);
    if (name.empty() || tokenizer.is_special(id) || (tokenizer.is_added(id) && named_like_special(name))) continue;
    bytes_[static_cast<std::size_t>(id)] = tokenizer.token_bytes(id);
  }
  index();
}

Vocabulary::Vocabulary(std::vector<std::string> tokens) : bytes_(std::move(tokens)) {
  index();
}

std::string_view Vocabulary::bytes(TokenId token) const {
  if (token < 0 || token >= static_cast<TokenId>(bytes_.size())) return {};
  return bytes_[static_cast<std::size_t>(token)];
}

void Vocabulary::index_free_strings(const std::vector<std::pair<std::string, TokenId>>& tokens) {
  const CountedText any{every_text(), {}};
  std::map<std::string_view, std::vector<TokenId>> behind;
  inside_free_.assign(words(), 0);
  for (const auto& [bytes, token] : tokens) {
    Configuration at;
    begin_text(any, at);
    TextStep step = TextStep::inside;
    std::size_t read = 0;
    while (read < bytes.size() && step == TextStep::inside)
      step = read_text(any, Writing::quoted, static_cast<std::uint8_t>(bytes[read++]), at);
    if (step == TextStep::inside)
      inside_free_[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (token % 64);
    if (step == TextStep::ended) behind[std::string_view(bytes).substr(read)].push_back(token);
  }
  std::vector<std::pair<std::string, TokenId>> endings;
  for (auto& [bytes, group] : behind) {
    if (bytes.empty()) {
      closing_.at_end = std::move(group);
      continue;
    }
    endings.emplace_back(bytes, static_cast<TokenId>(closing_.groups.size()));
    closing_.groups.push_back(std::move(group));
  }
  closing_.trie = std::make_unique<const TokenTrie>(endings);
}

void Vocabulary::index() {
  constexpr std::array<std::uint32_t, 14> limits = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 16, 30, UINT32_MAX};
  std::vector<std::pair<std::string, TokenId>> all, others, without_controls;
  std::array<std::vector<std::pair<std::string, TokenId>>, limits.size()> plain;
  for (std::size_t i = 0; i < bytes_.size(); ++i) {
    longest_ = std::max(longest_, bytes_[i].size());
    if (bytes_[i].empty()) continue;
    if (bytes_[i].size() > longest_in_trie)
      long_tokens_.push_back(static_cast<TokenId>(i));
    else
      all.emplace_back(bytes_[i], static_cast<TokenId>(i));
  }
  std::sort(all.begin(), all.end());
  const auto twin = [&](const auto& token) { return &token != all.data() && (&token - 1)->first == token.first; };
  std::vector<std::pair<std::string, TokenId>> distinct;
  for (const auto& token : all) {
    if (twin(token)) {
      twins_.emplace_back(distinct.back().second, token.second);
      continue;
    }
    distinct.push_back(token);
    const std::uint32_t characters = plain_characters(token.first);
    const auto slice = static_cast<std::size_t>(
        std::find_if(limits.begin(), limits.end(), [&](std::uint32_t limit) { return characters <= limit; }) -
        limits.begin());
    (characters == 0 ? others : plain[slice]).push_back(token);
    if (characters == 0 && !controls_first(token.first)) without_controls.push_back(token);
    if (characters == 0) continue;
    most_plain_ = std::max(most_plain_, characters);
    std::vector<std::uint64_t>& same_begin = plain_masks_[static_cast<std::uint8_t>(token.first.front())];
    same_begin.resize(words(), 0);
    same_begin[static_cast<std::size_t>(token.second) / 64] |= std::uint64_t{1} << (token.second % 64);
  }
  plain_ascii_.assign(words(), 0);
  for (std::size_t byte = 0; byte < 0x80; ++byte)
    for (std::size_t word = 0; word < plain_masks_[byte].size(); ++word) plain_ascii_[word] |= plain_masks_[byte][word];
  std::vector<std::uint64_t> mask(words(), 0);
  for (std::size_t i = 0; i < limits.size(); ++i) {
    if (plain[i].empty()) continue;
    for (const auto& [bytes, token] : plain[i])
      mask[static_cast<std::size_t>(token) / 64] |= std::uint64_t{1} << (token % 64);
    std::uint32_t most = 0;
    for (const auto& [bytes, token] : plain[i]) most = std::max(most, plain_characters(bytes));
    slices_.push_back({i == 0 ? 1 : limits[i - 1] + 1, most, mask, TokenTrie(plain[i])});
  }
  index_free_strings(distinct);
  all_ = std::make_unique<const TokenTrie>(distinct);
  others_without_controls_ = std::make_unique<const TokenTrie>(without_controls);
  others_ = std::make_unique<const TokenTrie>(others);
}

}  // namespace retort::grammar
