// The sites of a decoder (retort/abi/site.h): its linear modules, grouped by the input that they read, in the order in
// which a compression pass goes through them. No LibTorch.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/algorithm/site_view.h"
#include "model/model_config.h"

namespace retort::train {

enum class SitePlace { embedding, attention_input, attention_output, feed_forward_input, feed_forward_hidden, head };

struct LinearSite {
  SitePlace place = SitePlace::embedding;
  std::int64_t layer = -1;           ///< -1 for embedding and head
  std::vector<std::string> modules;  ///< "model.layers.0.self_attn.q_proj"; a tied head is "model.embed_tokens"
  host::SiteView view;               ///< names and shapes alone
  std::string norm;                  ///< the RMSNorm weight that produces its input; empty: something else does
  double norm_offset = 0;            ///< what is added to that weight before it multiplies
};

/// An embedding that is not tied, then each layer's q/k/v, o, gate/up, down, then the head.
std::vector<LinearSite> linear_sites(const model::ModelConfig& config);

}  // namespace retort::train
