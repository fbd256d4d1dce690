// A decoder with less of it, as a plan says. Internal to core/train.
#pragma once

#include <memory>

#include "host/algorithm/pruner_call.h"
#include "train/decoder_module.h"

namespace retort::train {

/// `plan` keeps the rules of host::check_prune_plan(). Layers and tokens are renumbered, with the windows of the layers
/// and the tokens that the configuration names; a kv head goes with its query heads.
std::unique_ptr<DecoderModule> cut_decoder(DecoderModule& full, const host::PruneKeeps& plan);

}  // namespace retort::train
