#include "task/spoken_list.h"

#include <algorithm>

namespace retort::task {

std::vector<std::string> split_spoken_list(std::string_view text, std::string_view conjunction) {
  const std::string comma = ", ";
  const std::string joint = " " + std::string(conjunction) + " ";
  const std::string last_comma = ", " + std::string(conjunction) + " ";
  std::vector<std::string> items;
  for (;;) {
    const std::size_t end = std::min(text.find(comma), text.find(joint));
    items.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return items;
    text.remove_prefix(end);
    for (const std::string& separator : {last_comma, comma, joint}) {
      if (!text.starts_with(separator)) continue;
      text.remove_prefix(separator.size());
      break;
    }
  }
}

std::optional<std::string> join_spoken_list(const std::vector<std::string>& items, std::string_view conjunction) {
  if (items.empty() || conjunction.empty()) return std::nullopt;
  std::string text = items.front();
  for (std::size_t i = 1; i < items.size(); ++i)
    text += (i + 1 == items.size() ? " " + std::string(conjunction) + " " : ", ") + items[i];
  const bool empty_item = std::any_of(items.begin(), items.end(), [](const std::string& item) { return item.empty(); });
  if (empty_item || split_spoken_list(text, conjunction) != items) return std::nullopt;
  return text;
}

}  // namespace retort::task
