// Values that nothing may log or record: keys and tokens that were read from the environment.
#pragma once

#include <string>

#include "host/base/json.h"

namespace retort::host {

/// From now on redacted() replaces `value`; does nothing for an empty one. For the life of the process. [any-thread]
void redact(const std::string& value);

/// `text` with "***" in place of every such value. [any-thread]
std::string redacted(std::string text);

/// The same for every string in `json`, keys excepted. [any-thread]
Json redacted(Json json);

}  // namespace retort::host
