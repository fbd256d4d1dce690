// What pruning, sparsifying and quantising refuse before any work, whatever the algorithm. No LibTorch.
#pragma once

#include <string>
#include <vector>

#include "model/model_folder.h"
#include "text/tokenizer.h"
#include "train/hooks.h"
#include "train/sequences.h"

namespace retort::train {

/// Reads every weight once. Throws std::invalid_argument, naming `whose` algorithm and the folder, where the weights
/// are codes already, and std::runtime_error for one that is not finite, naming tensor, row and column.
void expect_float_weights(const model::ModelFolder& source, const std::string& whose, const RunHooks& hooks);

/// Throws std::invalid_argument for a token without a row in the model: the tokenizer is another model's.
void expect_known_tokens(const std::vector<Sequence>& sequences, const text::Tokenizer& tokenizer,
                         const model::ModelFolder& source);

}  // namespace retort::train
