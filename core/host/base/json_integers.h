// Integers that no 64-bit number holds: JSON libraries read them as the nearest double, which is another number.
#pragma once

#include <string_view>

namespace retort::host {

/// The first integer of JSON `text` (comments allowed) outside of -2^63 to 2^64 - 1, as it stands there, or "".
/// Numbers with a fraction or an exponent are no integers here.
std::string_view integer_beyond_64_bits(std::string_view text);

}  // namespace retort::host
