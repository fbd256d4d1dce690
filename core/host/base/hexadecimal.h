// Bytes as hexadecimal digits and back.
#pragma once

#include <string>
#include <string_view>

namespace retort::host {

/// Two lower-case digits a byte.
std::string to_hexadecimal(std::string_view bytes);
/// Of lower-case digits. Throws std::invalid_argument for anything else, or an odd number of them.
std::string from_hexadecimal(std::string_view digits);

}  // namespace retort::host
