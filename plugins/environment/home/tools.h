// The functions that the home assistant offers, as the OpenAI `tools` list.
#pragma once

#include <nlohmann/json.hpp>

namespace retort::home {

/// Built once; the same object on every call. Thread-safe.
const nlohmann::json& tools();

}  // namespace retort::home
