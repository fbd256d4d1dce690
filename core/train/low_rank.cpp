#include "train/low_rank.h"

#include <cmath>
#include <set>
#include <stdexcept>

namespace retort::train {
namespace {

using torch::Tensor;

/// "q_proj" of "model.layers.0.self_attn.q_proj.weight"; "" of what is no matrix of a layer.
std::string target_of(const std::string& name, const Tensor& weight) {
  const std::string end = ".weight";
  if (weight.dim() != 2 || !name.starts_with("model.layers.") || !name.ends_with(end)) return "";
  const std::string stem = name.substr(0, name.size() - end.size());
  return stem.substr(stem.rfind('.') + 1);
}

void expect_targets(const DecoderModule& decoder, const std::vector<std::string>& targets) {
  std::set<std::string> known;
  std::string listed;
  for (const auto& [name, weight] : decoder.weights())
    if (const std::string target = target_of(name, weight); !target.empty() && known.insert(target).second)
      listed += (listed.empty() ? "" : ", ") + target;
  if (targets.empty()) throw std::invalid_argument("low_rank.targets: expected some of " + listed + ", found none");
  for (const std::string& target : targets)
    if (!known.contains(target))
      throw std::invalid_argument("low_rank.targets: expected some of " + listed + ", found " + target);
}

}  // namespace

ParameterGroup add_low_rank(DecoderModule& decoder, const LowRankOptions& options, std::uint64_t seed) {
  if (options.rank < 1)
    throw std::invalid_argument("low_rank.rank: expected at least 1, found " + std::to_string(options.rank));
  expect_targets(decoder, options.targets);
  const std::set<std::string> wanted(options.targets.begin(), options.targets.end());
  const torch::NoGradGuard no_grad;
  auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  ParameterGroup group{"lora", {}};
  for (const auto& [name, weight] : decoder.weights()) {
    Tensor(weight).set_requires_grad(false);
    if (!wanted.contains(target_of(name, weight))) continue;
    const double bound = 1 / std::sqrt(static_cast<double>(weight.size(1)));
    const Tensor a =
        torch::empty({options.rank, weight.size(1)}).uniform_(-bound, bound, generator).to(weight.device());
    const Tensor b = torch::zeros({weight.size(0), options.rank}, weight.options());
    group.tensors.emplace_back(name + ".a", a.set_requires_grad(true));
    group.tensors.emplace_back(name + ".b", b.set_requires_grad(true));
    decoder.adapt(name, {a, b, options.alpha / static_cast<double>(options.rank)});
  }
  return group;
}

}  // namespace retort::train
