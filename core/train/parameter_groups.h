// What a training run learns, by name: the decoder, and whatever is trained beside it (a value head, the projections of
// a loss, LoRA factors). Internal to core/train.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "train/decoder_module.h"
#include "train/libtorch.h"

namespace retort::train {

/// Tensors that are optimised alike. They require gradients and are changed in place, never replaced.
struct ParameterGroup {
  std::string name;  ///< unique in a run: "decoder", "value_head", "loss.projection", "lora"
  std::vector<std::pair<std::string, torch::Tensor>> tensors;  ///< names are unique in the group
  double learning_rate_scale = 1;                              ///< factor on the schedule's rate
  bool weight_decay = true;                                    ///< of its matrices; vectors and scalars never decay
};

/// All groups of a run in a fixed order: gradients, averages and checkpoints follow it.
class ParameterGroups {
 public:
  ParameterGroups() = default;
  /// Throws std::invalid_argument for a name that occurs twice, an empty group, or a tensor that is undefined or does
  /// not require a gradient.
  explicit ParameterGroups(std::vector<ParameterGroup> groups);
  void add(ParameterGroup group);

  const std::vector<ParameterGroup>& all() const { return groups_; }
  /// Every tensor, group by group.
  std::vector<torch::Tensor> tensors() const;
  /// The same, each under "GROUP/TENSOR".
  std::vector<std::pair<std::string, torch::Tensor>> named_tensors() const;

 private:
  std::vector<ParameterGroup> groups_;
};

/// Every weight of the decoder, as the group "decoder".
ParameterGroup decoder_group(const DecoderModule& decoder);

}  // namespace retort::train
