// Lists as people say them: "milk, bread and eggs".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace retort::task {

/// The items of a spoken list, which commas and the conjunction ("and", "und", …) part: "a", "a and b", "a, b and c",
/// "a and b and c", "a, b, and c".
std::vector<std::string> split_spoken_list(std::string_view text, std::string_view conjunction);

/// The items joined as they are said, or nothing where that would not be read back as the same items: an empty list or
/// item, an item with a comma or the conjunction inside, no conjunction.
std::optional<std::string> join_spoken_list(const std::vector<std::string>& items, std::string_view conjunction);

}  // namespace retort::task
