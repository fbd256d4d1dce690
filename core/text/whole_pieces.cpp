// See whole_pieces.h.
#include "text/whole_pieces.h"

#include <algorithm>
#include <bit>
#include <functional>

namespace retort::text {

std::size_t WholePieces::place_of(std::string_view text) const {
  const std::size_t mask = table_.size() - 1;
  std::size_t place = std::hash<std::string_view>()(text) & mask;
  while (table_[place].id >= 0 && table_[place].text != text) place = (place + 1) & mask;
  return place;
}

void WholePieces::fill(const std::vector<std::string_view>& texts) {
  const auto spelt = static_cast<std::size_t>(
      std::count_if(texts.begin(), texts.end(), [](std::string_view text) { return !text.empty(); }));
  table_.assign(std::bit_ceil(std::max<std::size_t>(2 * spelt, 16)), Place());
  built_ = std::make_unique<std::atomic<Built>[]>(texts.size());  // all unknown
  for (std::size_t id = 0; id < texts.size(); ++id) {
    if (texts[id].empty()) continue;
    Place& place = table_[place_of(texts[id])];
    if (place.id < 0) place = {texts[id], static_cast<TokenId>(id)};
  }
}

TokenId WholePieces::find(std::string_view text) const {
  return table_.empty() ? -1 : table_[place_of(text)].id;
}

}  // namespace retort::text
