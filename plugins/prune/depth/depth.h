// Which layers of a decoder go, by one of three measures. L layers.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace retort::prune {

struct DepthOptions {
  std::int64_t remove = 1;           ///< layers that go
  std::int64_t protected_first = 0;  ///< layers at the start that stay
  std::int64_t protected_last = 0;   ///< layers at the end that stay
};

/// Throws std::invalid_argument unless `remove` layers can go of the unprotected of `layers`, and one stays.
void check_depth(const DepthOptions& options, std::int64_t layers);

// Each returns the layers that stay, ascending. Of equals the later layer goes.

/// Those with the least block influence (ShortGPT, arXiv 2403.03853, equation 1) go. `influence` [L].
/// It is blind to scale: a layer that only stretches the stream has influence 0.
std::vector<std::int64_t> keep_by_influence(const DepthOptions& options, std::span<const float> influence);

/// The contiguous block goes whose output is most like its input (arXiv 2403.17887, section 3.2): from the i with the
/// largest similarity(i, i + remove − 1). `similarity`(i, j): mean cos of the input of layer i and the output of j.
std::vector<std::int64_t> keep_by_similarity(const DepthOptions& options, std::int64_t layers,
                                             const std::function<float(std::int64_t, std::int64_t)>& similarity);

struct GreedyDepth {
  std::vector<std::int64_t> kept;
  std::vector<double> losses;  ///< after each removal
};

/// One after the other that layer goes without which `loss` (of the layers that stay) is least.
/// Throws std::runtime_error for a loss that is not finite where no other is.
GreedyDepth keep_by_loss(const DepthOptions& options, std::int64_t layers,
                         const std::function<double(const std::vector<std::int64_t>&)>& loss);

}  // namespace retort::prune
