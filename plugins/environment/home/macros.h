// Groups of words that many templates of wide speech share: "<turn_on>" in a template stands for the text of that name
// in data/wide/macros.json, in brackets. A macro may use others.
#pragma once

#include <string>

namespace retort::home {

/// Throws std::invalid_argument for a macro that is not there.
std::string with_macros(std::string text);

}  // namespace retort::home
