#include "task/spoken_order.h"

#include <algorithm>

namespace retort::task {
namespace {

/// Letters, digits and everything beyond ASCII belong to words.
bool in_word(char character) {
  const auto byte = static_cast<unsigned char>(character);
  return byte >= 0x80 || (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

/// Whether text[at - 1] and text[at] are parts of the same word.
bool splits_word(std::string_view text, std::size_t at) {
  return at > 0 && at < text.size() && in_word(text[at - 1]) && in_word(text[at]);
}

/// npos where the utterance does not say it.
std::size_t place_of(std::string_view utterance, std::string_view said) {
  if (said.empty()) return std::string_view::npos;
  std::size_t place = utterance.find(said);
  while (place != std::string_view::npos &&
         (splits_word(utterance, place) || splits_word(utterance, place + said.size())))
    place = utterance.find(said, place + 1);
  return place;
}

}  // namespace

std::vector<std::string> spoken_order(std::string_view utterance, const std::vector<SpokenArgument>& arguments) {
  std::vector<std::pair<std::size_t, std::string>> placed;
  for (const SpokenArgument& argument : arguments)
    placed.emplace_back(place_of(utterance, argument.text), argument.name);
  std::stable_sort(placed.begin(), placed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::string> names;
  for (auto& [place, name] : placed) names.push_back(std::move(name));
  return names;
}

}  // namespace retort::task
