// The model that is being trained, on the runtime: samples with the weights that it has now. Internal to core/train.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/generate/rollout.h"
#include "train/decoder_module.h"
#include "train/processes.h"

namespace retort::train {

/// Used by one thread at a time.
class PolicyEngine {
 public:
  /// Borrows the decoder. `context`: tokens of prompt and response, at most the model's max_positions. Nothing is
  /// allocated before the first sample. `precision`: of weights and of the key-value cache.
  PolicyEngine(DecoderModule& decoder, std::int64_t threads, std::int64_t context,
               runtime::RolloutPrecision precision = runtime::RolloutPrecision::f32);
  /// As runtime::RolloutEngine::sample, with the decoder's present weights.
  std::vector<runtime::Rollout> sample(std::span<const std::vector<runtime::TokenId>> prompts,
                                       const runtime::RolloutOptions& options);

 private:
  DecoderModule& decoder_;
  runtime::RolloutEngineOptions options_;
  std::unique_ptr<runtime::RolloutEngine> engine_;
};

/// As engine.sample(), shared: every process answers its part of the prompts and gets the tokens of all. With several
/// processes there are no log-probabilities. `options.numbers` is not looked at.
std::vector<runtime::Rollout> samples_of_all(const Processes& processes, PolicyEngine& engine,
                                             std::span<const std::vector<runtime::TokenId>> prompts,
                                             runtime::RolloutOptions options);

/// "f32" or "bf16"; throws std::invalid_argument for another.
runtime::RolloutPrecision rollout_precision(const std::string& name);

}  // namespace retort::train
