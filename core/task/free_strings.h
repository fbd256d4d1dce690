// The strings of a call that its tool's schema leaves free: texts that users say, where the others are chosen from what
// the schema lists or describes.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "task/call.h"

namespace retort::task {

/// Every string in `calls`, also in lists and objects, whose schema has no enum, const, pattern or format becomes what
/// `change` makes of it. Strings of a tool that is not in `tools` are free.
void change_free_strings(std::vector<Call>& calls, const std::vector<Tool>& tools,
                         const std::function<std::string(const std::string&)>& change);

/// These strings, call by call.
std::vector<std::string> free_strings(std::vector<Call> calls, const std::vector<Tool>& tools);

}  // namespace retort::task
