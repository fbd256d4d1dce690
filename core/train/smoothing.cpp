// How a factor per input channel goes into what produces the channel (compression_pass.h).
#include <stdexcept>

#include "train/compression_pass.h"

namespace retort::train {
namespace {

using torch::Tensor;

/// The name of a module's parameter in the layer of `site`.
std::string in_layer(const LinearSite& site, const std::string& rest) {
  return "model.layers." + std::to_string(site.layer) + "." + rest;
}

/// Factors [H·head_dim] of o's input as those of v's rows [K·head_dim]. Query heads of one kv head read the same row.
Tensor value_factors(const LinearSite& site, const Tensor& factors) {
  const Tensor by_head = factors.view({-1, site.view.shared_heads, site.view.channel_group});
  if (!by_head.equal(by_head.narrow(1, 0, 1).expand_as(by_head)))
    throw std::invalid_argument(site.view.name + ": query heads of one kv head have different smoothing factors");
  return by_head.select(1, 0).reshape({-1});
}

}  // namespace

void fold_smoothing(const LinearSite& site, const Tensor& factors,
                    const std::function<Tensor*(const std::string& name)>& weight) {
  torch::NoGradGuard no_grad;
  const auto divide = [&](const std::string& name, const Tensor& by) {
    Tensor* tensor = weight(name);
    if (tensor != nullptr) tensor->div_(tensor->dim() == 2 ? by.unsqueeze(1) : by);
  };
  switch (site.place) {
    case SitePlace::attention_input:
    case SitePlace::feed_forward_input:
    case SitePlace::head:
      divide(site.norm, factors);
      // What multiplies is o + w, which is to become (o + w)/s.
      if (site.norm_offset != 0) weight(site.norm)->add_(site.norm_offset / factors - site.norm_offset);
      break;
    case SitePlace::attention_output: {
      const Tensor rows = value_factors(site, factors);
      divide(in_layer(site, "self_attn.v_proj.weight"), rows);
      divide(in_layer(site, "self_attn.v_proj.bias"), rows);
      break;
    }
    case SitePlace::feed_forward_hidden:
      divide(in_layer(site, "mlp.up_proj.weight"), factors);
      break;
    case SitePlace::embedding:
      throw std::invalid_argument(site.view.name + ": nothing produces its input, so it cannot be smoothed");
  }
  for (const std::string& module : site.modules) weight(module + ".weight")->mul_(factors);
}

}  // namespace retort::train
