// One module through a quantizer plugin, with its output allocated as the scheme wants it. Internal to core/train.
#pragma once

#include <cstddef>

#include "host/algorithm/quantizer_call.h"
#include "train/folder_tensors.h"

namespace retort::train {

/// Errors as QuantizerCall::quantize().
Codes quantized(const host::QuantizerCall& quantizer, const host::SiteView& site, std::size_t module,
                const retort_quantize_scheme& scheme, host::CallMetrics& metrics);

}  // namespace retort::train
