// The functions that the home assistant offers, as the OpenAI `tools` list.
#pragma once

#include <nlohmann/json.hpp>

namespace retort::home {

/// Built once; the same object on every call. Thread-safe.
const nlohmann::json& tools();

/// What the home is, for a person or a large model that is to answer for it.
const char* description();

}  // namespace retort::home
