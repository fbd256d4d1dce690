// The rules: each reads one clause as a call of its tool, or not at all.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <vector>

#include "phrase.h"

namespace retort::rules {

/// {"name": …, "arguments": {…}}, or nothing when the clause is not (wholly) understood.
using ClauseRule = std::optional<nlohmann::json> (*)(Phrase phrase);

const std::vector<ClauseRule>& device_rules();
const std::vector<ClauseRule>& media_rules();
const std::vector<ClauseRule>& planning_rules();

/// Whether a whole utterance is small talk or asks for something that no tool does.
bool is_off_topic(const Phrase& phrase);

inline nlohmann::json make_call(const char* name, nlohmann::json arguments) {
  return {{"name", name}, {"arguments", std::move(arguments)}};
}

}  // namespace retort::rules
