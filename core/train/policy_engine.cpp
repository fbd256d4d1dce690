#include "train/policy_engine.h"

#include <algorithm>
#include <stdexcept>

namespace retort::train {

PolicyEngine::PolicyEngine(DecoderModule& decoder, std::int64_t threads, std::int64_t context,
                           runtime::RolloutPrecision precision)
    : decoder_(decoder) {
  options_.precision = precision;
  options_.kv_cache = precision == runtime::RolloutPrecision::bf16 ? runtime::KvType::bf16 : runtime::KvType::f32;
  options_.threads = threads;
  options_.context = std::min(context, decoder.config().max_positions);
}

std::vector<runtime::Rollout> PolicyEngine::sample(std::span<const std::vector<runtime::TokenId>> prompts,
                                                   const runtime::RolloutOptions& options) {
  std::vector<torch::Tensor> kept;  // the engine reads them all after it has asked for them all
  const runtime::FloatWeights weights = [&](const std::string& name) {
    const torch::Tensor& plain = kept.emplace_back(decoder_.merged_weight(name).detach().contiguous());
    return std::span<const float>(plain.data_ptr<float>(), static_cast<std::size_t>(plain.numel()));
  };
  if (engine_)
    engine_->update_weights(weights);
  else
    engine_ = std::make_unique<runtime::RolloutEngine>(decoder_.config(), weights, options_);
  return engine_->sample(prompts, options);
}

runtime::RolloutPrecision rollout_precision(const std::string& name) {
  if (name == "f32") return runtime::RolloutPrecision::f32;
  if (name == "bf16") return runtime::RolloutPrecision::bf16;
  throw std::invalid_argument("rollout_precision: expected \"f32\" or \"bf16\", found \"" + name + "\"");
}

}  // namespace retort::train
