#include "train/policy_engine.h"

#include <algorithm>

namespace retort::train {

PolicyEngine::PolicyEngine(DecoderModule& decoder, std::int64_t threads, std::int64_t context) : decoder_(decoder) {
  options_.threads = threads;
  options_.context = std::min(context, decoder.config().max_positions);
}

std::vector<runtime::Rollout> PolicyEngine::sample(std::span<const std::vector<runtime::TokenId>> prompts,
                                                   const runtime::RolloutOptions& options) {
  std::vector<torch::Tensor> kept;  // the engine reads them all after it has asked for them all
  const runtime::FloatWeights weights = [&](const std::string& name) {
    const torch::Tensor& plain = kept.emplace_back(decoder_.weight(name).detach().contiguous());
    return std::span<const float>(plain.data_ptr<float>(), static_cast<std::size_t>(plain.numel()));
  };
  if (engine_)
    engine_->update_weights(weights);
  else
    engine_ = std::make_unique<runtime::RolloutEngine>(decoder_.config(), weights, options_);
  return engine_->sample(prompts, options);
}

}  // namespace retort::train
