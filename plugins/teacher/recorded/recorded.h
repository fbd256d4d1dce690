// A teacher that replays what a trace recorded: each request carries its own answer under "recorded".
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

namespace retort::recorded {

/// `requests`: JSON array of chat requests. Gives `take` an item each, as retort/abi/teacher.h defines them: the
/// recorded assistant message as it stands, "n" times, or an error where there is none. Throws std::invalid_argument
/// for text that is not a JSON array.
void complete(std::string_view requests, const std::function<void(std::size_t index, const std::string& item)>& take);

}  // namespace retort::recorded
