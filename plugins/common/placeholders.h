// Prompts with places that are filled.
#pragma once

#include <map>
#include <string>
#include <string_view>

namespace retort::prompts {

/// `text` with the value of each "{name}" in its place. Names without a value and other braces are text; a placeholder
/// in a value is not replaced.
inline std::string filled(std::string_view text, const std::map<std::string, std::string>& values) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t close = text[at] == '{' ? text.find('}', at) : std::string_view::npos;
    const auto value =
        close == std::string_view::npos ? values.end() : values.find(std::string(text.substr(at + 1, close - at - 1)));
    if (value == values.end()) {
      out += text[at++];
    } else {
      out += value->second;
      at = close + 1;
    }
  }
  return out;
}

}  // namespace retort::prompts
