#include "train/policy_engine.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
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
    const torch::Tensor& plain = kept.emplace_back(decoder_.merged_weight(name).detach().cpu().contiguous());
    return std::span<const float>(plain.data_ptr<float>(), static_cast<std::size_t>(plain.numel()));
  };
  if (engine_)
    engine_->update_weights(weights);
  else
    engine_ = std::make_unique<runtime::RolloutEngine>(decoder_.config(), weights, options_);
  return engine_->sample(prompts, options);
}

std::vector<runtime::Rollout> samples_of_all(const Processes& processes, PolicyEngine& engine,
                                             std::span<const std::vector<runtime::TokenId>> prompts,
                                             runtime::RolloutOptions options) {
  options.numbers = {};
  if (processes.alone()) return engine.sample(prompts, options);
  const Share share = processes.share(prompts.size());
  std::vector<std::uint64_t> numbers(share.end - share.begin);
  std::iota(numbers.begin(), numbers.end(), static_cast<std::uint64_t>(share.begin));
  options.numbers = numbers;
  nlohmann::json own = nlohmann::json::array();
  for (const runtime::Rollout& one : engine.sample(prompts.subspan(share.begin, numbers.size()), options))
    own.push_back({one.tokens, one.finished});
  std::vector<runtime::Rollout> all;
  for (const nlohmann::json& part : processes.gather(own))
    for (const nlohmann::json& one : part)
      all.push_back({one.at(0).get<std::vector<runtime::TokenId>>(), {}, one.at(1).get<bool>()});
  return all;
}

runtime::RolloutPrecision rollout_precision(const std::string& name) {
  if (name == "f32") return runtime::RolloutPrecision::f32;
  if (name == "bf16") return runtime::RolloutPrecision::bf16;
  throw std::invalid_argument("rollout_precision: expected \"f32\" or \"bf16\", found \"" + name + "\"");
}

}  // namespace retort::train
