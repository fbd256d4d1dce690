// retort.host.models/1 of a process that only checks a config: models open if their folder holds one, and answer
// nothing.
#pragma once

#include <retort/abi/host_models.h>

namespace retort::host {

/// So that constructors which open a model can run where there is no runtime. [any-thread]
const retort_host_models_v1& model_stand_in();

}  // namespace retort::host
