// A teacher that replays what a trace recorded: each request carries its own answer under "recorded".
#pragma once

#include <string>
#include <string_view>

namespace retort::recorded {

/// `requests`: JSON array of chat requests; returns the JSON array of responses that retort/abi/teacher.h defines: the
/// recorded assistant message as it stands, or an error item where there is none. Throws std::invalid_argument for text
/// that is not a JSON array.
std::string complete(std::string_view requests);

}  // namespace retort::recorded
