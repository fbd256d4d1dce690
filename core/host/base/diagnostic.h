// What is wrong in a config: one finding of many, each with its place.
#pragma once

#include <string>
#include <vector>

namespace retort::host {

struct Diagnostic {
  std::string pointer;     ///< JSON pointer into the config: "/stages/2/epochs"
  std::string message;     ///< what is wrong: expected, found
  std::string suggestion;  ///< what to do, such as the nearest known name; may be empty
};

/// "pointer: message (suggestion)".
std::string to_string(const Diagnostic& diagnostic);

/// The candidate nearest to `name` by edit distance, or "" if none is close enough to be meant.
std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates);

}  // namespace retort::host
