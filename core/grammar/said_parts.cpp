// See said_parts.h. A place p is a number below said_.size(): said_[p] is the character that would come next.
#include "grammar/said_parts.h"

#include <algorithm>

#include "schema/code_points.h"

namespace retort::grammar {
namespace {

constexpr std::uint32_t border = 0;  // between texts

/// Simple case pairs without a locale: ASCII, Latin-1, Latin Extended-A, Greek and Cyrillic.
std::uint32_t folded(std::uint32_t c) {
  if (c >= 'A' && c <= 'Z') return c + 32;
  if (c < 0xC0) return c;
  if (c <= 0xDE && c != 0xD7) return c + 32;
  if ((c >= 0x100 && c <= 0x137 && c != 0x130) || (c >= 0x14A && c <= 0x177)) return c | 1U;
  if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E)) return c % 2 == 1 ? c + 1 : c;
  if ((c >= 0x391 && c <= 0x3A9) || (c >= 0x410 && c <= 0x42F)) return c + 32;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  return c;
}

bool in_word(std::uint32_t c) {
  if (c < 0x80) return (c >= '0' && c <= '9') || (folded(c) >= 'a' && folded(c) <= 'z');
  return true;
}

/// Calls `function` with every character that folds to `c`.
template <class Function>
void for_each_unfolded(std::uint32_t c, const Function& function) {
  function(c);
  for (const std::uint32_t distance : {32U, 1U, 80U})
    if (c >= distance && folded(c - distance) == c) function(c - distance);
}

}  // namespace

SaidParts::SaidParts(const std::vector<std::string>& texts) {
  said_.push_back(border);
  for (const std::string& text : texts) {
    for (std::size_t at = 0; at < text.size();) {
      const std::uint32_t character = schema::next_character(text, at);
      said_.push_back(character > 0x10FFFF ? border : folded(character));
    }
    said_.push_back(border);
  }
  largest_ = *std::max_element(said_.begin(), said_.end());
  const auto splits = [&](std::size_t at) {
    return said_[at] != border && in_word(said_[at - 1]) && in_word(said_[at]) && said_[at - 1] != border;
  };
  const std::size_t count = said_.size();
  ends_.assign(count, 0);
  next_end_.assign(count, -1);
  last_end_.assign(count, -1);
  for (std::size_t at = 1; at < count; ++at) {
    if (said_[at] != border && said_[at] != ' ' && !splits(at)) begins_.push_back(static_cast<std::int32_t>(at));
    ends_[at] = said_[at - 1] != border && said_[at - 1] != ' ' && !splits(at) ? 1 : 0;
  }
  for (std::size_t at = count; at-- > 1;) {
    const bool closes = said_[at] == border;  // what follows is another text
    next_end_[at] = ends_[at] != 0 ? static_cast<std::int32_t>(at) : closes ? -1 : next_end_[at + 1];
    last_end_[at] = !closes && last_end_[at + 1] >= 0 ? last_end_[at + 1] : next_end_[at];
  }
  std::erase_if(begins_, [&](std::int32_t place) { return last_end_[static_cast<std::size_t>(place)] <= place; });
  std::vector<std::pair<std::uint32_t, std::int32_t>> behind;
  for (const std::int32_t place : begins_) behind.emplace_back(said_[static_cast<std::size_t>(place)], place + 1);
  std::sort(behind.begin(), behind.end());
  for (std::size_t i = 0; i < behind.size();) {
    Places places;
    const std::uint32_t character = behind[i].first;
    for (; i < behind.size() && behind[i].first == character; ++i) places.push_back(behind[i].second);
    first_.emplace_back(character, state_of(std::move(places)));
  }
}

/// Ascending, each with an end behind it.
std::int32_t SaidParts::state_of(Places places) {
  if (places.empty()) return dead;
  if (places.size() == 1) return places.front();
  const auto [found, fresh] = known_.emplace(places, static_cast<std::int32_t>(said_.size() + sets_.size()));
  if (fresh) {
    sets_.push_back(std::move(places));
    steps_.emplace_back();
  }
  return found->second;
}

std::span<const std::int32_t> SaidParts::places(const std::int32_t& state) const {
  if (state == start) return begins_;
  if (static_cast<std::size_t>(state) < said_.size()) return {&state, 1};
  return sets_[static_cast<std::size_t>(state) - said_.size()];
}

std::int32_t SaidParts::step(std::int32_t state, std::uint32_t character) {
  const std::uint32_t wanted = folded(character);
  if (wanted == border) return dead;
  if (state == start) {
    const auto found = std::lower_bound(first_.begin(), first_.end(), std::pair(wanted, INT32_MIN));
    return found != first_.end() && found->first == wanted ? found->second : dead;
  }
  if (static_cast<std::size_t>(state) < said_.size()) {
    const auto place = static_cast<std::size_t>(state);
    return said_[place] == wanted && last_end_[place + 1] >= 0 ? state + 1 : dead;
  }
  const std::size_t set = static_cast<std::size_t>(state) - said_.size();
  for (const auto& [known, next] : steps_[set])
    if (known == wanted) return next;
  Places next;
  for (const std::int32_t place : sets_[set])
    if (said_[static_cast<std::size_t>(place)] == wanted && last_end_[static_cast<std::size_t>(place) + 1] >= 0)
      next.push_back(place + 1);
  const std::int32_t found = state_of(std::move(next));
  steps_[set].emplace_back(wanted, found);
  return found;
}

bool SaidParts::accepts(std::int32_t state) const {
  if (state == start) return false;
  const auto list = places(state);
  return std::any_of(list.begin(), list.end(),
                     [&](std::int32_t place) { return ends_[static_cast<std::size_t>(place)] != 0; });
}

bool SaidParts::can_end_from(std::int32_t place, std::uint32_t needed, std::uint32_t left) const {
  const std::int64_t earliest = std::int64_t{place} + needed;
  if (earliest > last_end_[static_cast<std::size_t>(place)]) return false;
  return next_end_[static_cast<std::size_t>(earliest)] - std::int64_t{place} <= std::int64_t{left};
}

bool SaidParts::can_end(std::int32_t state, std::uint32_t needed, std::uint32_t left) const {
  const std::uint32_t least = state == start ? std::max(needed, 1U) : needed;
  const auto list = places(state);
  return std::any_of(list.begin(), list.end(), [&](std::int32_t place) { return can_end_from(place, least, left); });
}

bool SaidParts::has(schema::Counts length) const {
  constexpr std::int64_t most = UINT32_MAX;
  if (length.least > most) return false;
  return can_end(
      start, static_cast<std::uint32_t>(std::max<std::int64_t>(length.least, 0)),
      length.most == schema::unlimited || length.most > most ? UINT32_MAX : static_cast<std::uint32_t>(length.most));
}

bool SaidParts::any_of(std::int32_t state, std::uint32_t first, std::uint32_t last, std::uint32_t needed,
                       std::uint32_t left) const {
  if (first > largest_) return false;  // the folded form of a letter is the larger one
  const auto list = places(state);
  return std::any_of(list.begin(), list.end(), [&](std::int32_t place) {
    const std::uint32_t character = said_[static_cast<std::size_t>(place)];
    if (character == border || !can_end_from(place, std::max(needed, 1U), left)) return false;
    bool found = false;
    for_each_unfolded(character, [&](std::uint32_t one) { found = found || (one >= first && one <= last); });
    return found;
  });
}

bool SaidParts::several(std::int32_t state) const {
  std::uint32_t only = border;
  for (const std::int32_t place : places(state)) {
    const std::uint32_t character = said_[static_cast<std::size_t>(place)];
    if (character == border || last_end_[static_cast<std::size_t>(place)] <= place) continue;
    int ways = 0;
    for_each_unfolded(character, [&](std::uint32_t) { ++ways; });
    if (ways > 1 || (only != border && only != character)) return true;
    only = character;
  }
  return false;
}

bool SaidParts::contains(const std::string& text) {
  std::int32_t state = start;
  for (std::size_t at = 0; at < text.size() && state != dead;) state = step(state, schema::next_character(text, at));
  return state != dead && accepts(state);
}

}  // namespace retort::grammar
