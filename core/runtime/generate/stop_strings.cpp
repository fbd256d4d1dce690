// See stop_strings.h.
#include "runtime/generate/stop_strings.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace retort::runtime {

StopStrings::StopStrings(std::vector<std::string> stops) : stops_(std::move(stops)) {
  for (const std::string& stop : stops_)
    if (stop.empty()) throw std::invalid_argument("stop: expected texts of at least one character, found an empty one");
  std::stable_sort(stops_.begin(), stops_.end(),
                   [](const std::string& a, const std::string& b) { return a.size() > b.size(); });
}

const std::string* StopStrings::complete() const {
  const auto found =
      std::find_if(stops_.begin(), stops_.end(), [this](const std::string& stop) { return held_.ends_with(stop); });
  return found == stops_.end() ? nullptr : &*found;
}

std::size_t StopStrings::beginning() const {
  const std::string_view held = held_;
  std::size_t length = stops_.empty() ? 0 : std::min(held.size(), stops_.front().size() - 1);
  const auto begins_one = [this](std::string_view text) {
    return std::any_of(stops_.begin(), stops_.end(),
                       [text](std::string_view stop) { return stop.size() > text.size() && stop.starts_with(text); });
  };
  while (length > 0 && !begins_one(held.substr(held.size() - length))) --length;
  return length;
}

std::string StopStrings::push(std::string_view text) {
  if (found_) return {};
  for (const char c : text) {
    held_.push_back(c);
    const std::string* stop = complete();
    if (stop == nullptr) continue;
    found_ = *stop;
    held_.resize(held_.size() - stop->size());
    return std::exchange(held_, {});
  }
  const std::size_t keep = beginning();
  std::string out = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return out;
}

std::string StopStrings::finish() {
  return found_ ? std::string() : std::exchange(held_, {});
}

}  // namespace retort::runtime
