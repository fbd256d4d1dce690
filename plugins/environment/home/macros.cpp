// Replaces macros until none is left.
#include "macros.h"

#include <map>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "data.h"

namespace retort::home {

std::string with_macros(std::string text) {
  static const auto macros = nlohmann::json::parse(wide_macros_data()).get<std::map<std::string, std::string>>();
  for (std::size_t begin = text.find('<'); begin != std::string::npos; begin = text.find('<', begin)) {
    const std::size_t end = text.find('>', begin);
    const auto found = macros.find(text.substr(begin + 1, end == std::string::npos ? end : end - begin - 1));
    if (end == std::string::npos || found == macros.end())
      throw std::invalid_argument("template \"" + text + "\" at " + std::to_string(begin) + ": expected a known macro");
    text.replace(begin, end - begin + 1, "(" + found->second + ")");
  }
  return text;
}

}  // namespace retort::home
