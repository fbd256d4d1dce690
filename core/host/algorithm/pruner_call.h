// How the host calls a pruner (retort.pruner/1), in stages and in `plugins check` alike, and the rules of a plan.
#pragma once

#include <retort/abi/pruner.h>

#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/algorithm/site_view.h"

namespace retort::host {

/// The signals that pruners may ask for.
inline constexpr std::uint64_t prune_signals =
    RETORT_SIGNAL_HIDDEN_NORMS | RETORT_SIGNAL_FEED_FORWARD_NORMS | RETORT_SIGNAL_HEAD_NORMS |
    RETORT_SIGNAL_BLOCK_INFLUENCE | RETORT_SIGNAL_BLOCK_SIMILARITY | RETORT_SIGNAL_TOKEN_COUNTS |
    RETORT_SIGNAL_GRADIENTS | RETORT_SIGNAL_SQUARED_GRADIENTS | RETORT_SIGNAL_FEED_FORWARD_HESSIAN;

/// What stays of one axis; `layer` is -1 for an axis that all layers share.
struct PruneKeep {
  std::uint32_t axis = 0;  ///< RETORT_AXIS_…
  std::int64_t layer = -1;
  std::vector<std::int64_t> indices;  ///< ascending
};
using PruneKeeps = std::vector<PruneKeep>;

/// "kv heads".
std::string axis_name(std::uint32_t axis);

/// Size of an axis in `structure`; 0 for an unknown axis.
std::int64_t axis_size(const retort_prune_structure& structure, std::uint32_t axis);

/// Throws std::invalid_argument, naming axis, layer and place, unless `plan` keeps the rules of pruner.h: known axes,
/// each entry once, indices that ascend within the axis, the same number in every layer that stays, and of the
/// vocabulary all `required_tokens`. `whose` begins the message: "prune.width's plan".
void check_prune_plan(const std::string& whose, const retort_prune_structure& structure,
                      std::span<const std::int64_t> required_tokens, const PruneKeeps& plan);

/// What answers the pruner's questions about the model. Functions may throw; the tensors stay valid until the next
/// call of any of them.
struct PruneModelAnswers {
  std::function<const retort_tensor&(const std::string& name)> weight, gradient, squared_gradient;
  std::function<double(const PruneKeeps& plan)> evaluate;  ///< given plans that keep the rules only
  std::function<const retort_tensor&(std::int64_t layer)> feed_forward_hessian;
  /// Takes new values of a weight, which are borrowed; checks name, shape and values.
  std::function<void(const std::string& name, const retort_tensor& values)> replace;
};

/// The pruner's own refusal: its parameters do not fit this model.
struct PlanRefused : std::invalid_argument {
  using std::invalid_argument::invalid_argument;
};

/// Borrows the component. Functions throw std::invalid_argument or std::runtime_error that names the component.
class PrunerCall {
 public:
  PrunerCall(std::string id, retort_instance* instance, const retort_pruner_v1& functions)
      : id_(std::move(id)), instance_(instance), functions_(functions) {}

  const std::string& id() const { return id_; }
  /// Checked: known signals and flags, at least 0 samples.
  retort_prune_requirements requirements() const;
  /// `signals.required_tokens` must be there. Checked by check_prune_plan(). Throws PlanRefused where the pruner
  /// returns INVALID_ARGUMENT.
  PruneKeeps plan(const retort_prune_structure& structure, const retort_prune_signals& signals,
                  const PruneModelAnswers& model, CallMetrics& metrics) const;

 private:
  std::string id_;
  retort_instance* instance_;
  const retort_pruner_v1& functions_;
};

}  // namespace retort::host
