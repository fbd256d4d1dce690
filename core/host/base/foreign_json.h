// JSON that others wrote: what plugins and command lines give, and texts in which a model may have said anything.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "host/base/json.h"

namespace retort::host {

/// Strict JSON; nothing where it is malformed or nested deeper than 512.
std::optional<Json> try_parse_json(std::string_view text);

/// On one line, with invalid UTF-8 as U+FFFD.
std::string to_text(const Json& json);

}  // namespace retort::host
