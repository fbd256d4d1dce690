// A component as `retort plugins show` prints it.
#pragma once

#include <string>

#include "host/plugin/registry.h"

namespace retort::apps {

/// What a config says to use it: required parameters with placeholders, required slots filled with components of
/// `registry`, theirs likewise.
host::Json example_entry(const host::ComponentInfo& component, const host::Registry& registry);

/// Origin, inputs, slots with what fits them, parameters, example; several lines.
std::string component_description(const host::ComponentInfo& component, const host::Registry& registry);

}  // namespace retort::apps
