// See whole_pieces.h.
#include "text/whole_pieces.h"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <utility>

#include "text/text_hash.h"

namespace retort::text {

std::size_t WholePieces::place_of(std::string_view text) const {
  const std::size_t mask = tables_.places.size() - 1;
  std::size_t place = static_cast<std::size_t>(text_hash(text)) & mask;
  while (tables_.places[place].id >= 0 && text_of(tables_.places[place]) != text) place = (place + 1) & mask;
  return place;
}

void WholePieces::fill(const std::vector<std::string_view>& texts) {
  std::vector<char> characters;
  std::size_t spelt = 0;
  for (const std::string_view text : texts) {
    characters.insert(characters.end(), text.begin(), text.end());
    spelt += text.empty() ? 0 : 1;
  }
  tables_.characters = FlatTable<char>(std::move(characters));
  tables_.places = FlatTable<Place>(std::vector<Place>(std::bit_ceil(std::max<std::size_t>(2 * spelt, 16))));
  built_ = std::make_unique<std::atomic<Built>[]>(texts.size());  // all unknown
  std::uint32_t begin = 0;
  for (std::size_t id = 0; id < texts.size(); ++id) {
    const auto size = static_cast<std::uint32_t>(texts[id].size());
    if (size > 0) {
      Place& place = tables_.places.mutable_at(place_of(texts[id]));
      if (place.id < 0) place = {begin, size, static_cast<TokenId>(id)};
    }
    begin += size;
  }
}

void WholePieces::attach(Tables tables, std::size_t ids) {
  bool sound = std::has_single_bit(tables.places.size()), free = false;
  for (const Place& place : tables.places.values()) {
    free = free || place.id == -1;
    sound = sound && place.id >= -1 && place.id < static_cast<TokenId>(ids) &&
            std::uint64_t{place.begin} + place.size <= tables.characters.size();
  }
  if (!sound || !free)
    throw std::invalid_argument("tables of pieces: places that are no token's, or none that is free");
  tables_ = std::move(tables);
  built_ = std::make_unique<std::atomic<Built>[]>(ids);
}

TokenId WholePieces::find(std::string_view text) const {
  return tables_.places.empty() ? -1 : tables_.places[place_of(text)].id;
}

}  // namespace retort::text
