// Foreign text for people's eyes.
#pragma once

#include <string>
#include <string_view>

namespace retort::host {

/// `text` as a terminal may be given it: valid UTF-8, and control characters but tab and newline as "\x1b".
std::string printable(std::string_view text);

}  // namespace retort::host
