// The model that is being trained, on the runtime: samples with the weights that it has now. Internal to core/train.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "runtime/generate/rollout.h"
#include "train/decoder_module.h"

namespace retort::train {

/// Used by one thread at a time.
class PolicyEngine {
 public:
  /// Borrows the decoder. `context`: tokens of prompt and response, at most the model's max_positions. Nothing is
  /// allocated before the first sample.
  PolicyEngine(DecoderModule& decoder, std::int64_t threads, std::int64_t context);
  /// As runtime::RolloutEngine::sample, with the decoder's present weights.
  std::vector<runtime::Rollout> sample(std::span<const std::vector<runtime::TokenId>> prompts,
                                       const runtime::RolloutOptions& options);

 private:
  DecoderModule& decoder_;
  runtime::RolloutEngineOptions options_;
  std::unique_ptr<runtime::RolloutEngine> engine_;
};

}  // namespace retort::train
