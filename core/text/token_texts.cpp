// See token_texts.h.
#include "text/token_texts.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <stdexcept>
#include <utility>

#include "text/text_hash.h"

namespace retort::text {
namespace {

constexpr TokenId kFree = -1;

[[noreturn]] void refuse_tables(const char* what) {
  throw std::invalid_argument(std::string("tables of tokens: ") + what);
}

}  // namespace

TokenTexts::TokenTexts(const std::vector<Token>& tokens) {
  std::vector<char> characters;
  std::vector<std::uint32_t> ends;
  std::vector<std::uint8_t> flags;
  std::size_t findable = 0;
  const auto append = [&](const std::string& text) {
    characters.insert(characters.end(), text.begin(), text.end());
    if (characters.size() > std::numeric_limits<std::uint32_t>::max()) refuse_tables("more than 4 GiB of text");
    ends.push_back(static_cast<std::uint32_t>(characters.size()));
  };
  for (const Token& token : tokens) {
    append(token.text);
    append(token.bytes);
    flags.push_back(static_cast<std::uint8_t>((token.added ? kAdded : 0) | (token.special ? kSpecial : 0)));
    findable += token.model ? 1 : 0;
  }
  tables_.characters = FlatTable<char>(std::move(characters));
  tables_.ends = FlatTable<std::uint32_t>(std::move(ends));
  tables_.flags = FlatTable<std::uint8_t>(std::move(flags));
  tables_.by_text =
      FlatTable<TokenId>(std::vector<TokenId>(std::bit_ceil(std::max<std::size_t>(2 * findable, 16)), kFree));
  for (std::size_t id = 0; id < tokens.size(); ++id)
    if (tokens[id].model) tables_.by_text.mutable_at(place_of(tokens[id].text)) = static_cast<TokenId>(id);
}

TokenTexts::TokenTexts(Tables tables) : tables_(std::move(tables)) {
  const auto ids = static_cast<TokenId>(tables_.flags.size());
  if (tables_.ends.size() != 2 * tables_.flags.size()) refuse_tables("texts and flags of another number of tokens");
  if (!std::is_sorted(tables_.ends.begin(), tables_.ends.end())) refuse_tables("texts that end before they begin");
  if ((tables_.ends.empty() ? 0 : tables_.ends[tables_.ends.size() - 1]) != tables_.characters.size())
    refuse_tables("texts of another length");
  if (!std::has_single_bit(tables_.by_text.size())) refuse_tables("places that are no power of two");
  const auto [least, most] = std::minmax_element(tables_.by_text.begin(), tables_.by_text.end());
  if (*least != kFree || *most >= ids) refuse_tables("ids without a token, or no free place");
}

std::size_t TokenTexts::place_of(std::string_view text_wanted) const {
  const std::size_t mask = tables_.by_text.size() - 1;
  std::size_t place = static_cast<std::size_t>(text_hash(text_wanted)) & mask;
  while (tables_.by_text[place] != kFree && text(tables_.by_text[place]) != text_wanted) place = (place + 1) & mask;
  return place;
}

std::optional<TokenId> TokenTexts::find(std::string_view text) const {
  if (tables_.by_text.empty()) return std::nullopt;
  const TokenId id = tables_.by_text[place_of(text)];
  return id == kFree ? std::nullopt : std::optional(id);
}

}  // namespace retort::text
