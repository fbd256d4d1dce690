// What stands in required slots while a component is checked.
#pragma once

#include <retort/abi/plugin.h>

#include <string>
#include <vector>

#include "host/plugin/component.h"

namespace retort::host {

/// Components of the host's own for the required slots of `info`: a teacher that gives every request the same verdict,
/// {"score": 0.5, "reason": "scripted"}. They live to the end of the process. Throws CheckSkipped, naming the slot, for
/// an interface that there is none of. Empty for stages, which get components with a context.
std::vector<retort_bound_component> stand_ins(const ComponentInfo& info);

}  // namespace retort::host
