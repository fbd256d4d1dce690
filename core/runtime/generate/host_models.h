// retort.host.models/1: models on this runtime for plugins, teachers and judges among them, that link nothing of ours.
#pragma once

#include <retort/abi/host_models.h>

namespace retort::runtime {

/// The table that get_extension hands out for RETORT_HOST_MODELS_EXTENSION; lives to the end of the process. Whoever
/// starts plugins registers it (host/plugin): host must not know the runtime.
const retort_host_models_v1& host_models();

}  // namespace retort::runtime
