// The loss of a policy-gradient algorithm as a node of LibTorch's autograd graph, over host/algorithm/rl_call.h.
// Internal to core/train.
#pragma once

#include <span>
#include <vector>

#include "host/algorithm/rl_call.h"
#include "train/libtorch.h"
#include "train/plugin_node.h"
#include "train/response_signals.h"

namespace retort::train {

/// Row-major copy of an f32 tensor of any shape; empty for an undefined one.
std::vector<float> values_of(const torch::Tensor& tensor);

/// The share of these rows in the update's loss, as a scalar whose derivative reaches policy.log_probs, values and
/// entropies ([r,T], of `rows`).
torch::Tensor rl_loss(const host::RlCall& algorithm, const host::RlStep& step, const host::RlUpdate& update,
                      std::span<const std::int64_t> rows, const ResponseSignals& policy, MetricMap& metrics);

}  // namespace retort::train
