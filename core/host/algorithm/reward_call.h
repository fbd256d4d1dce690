// The calls of retort.reward/1, as stages and `retort plugins check` make them: assembles the batch, checks every score
// against the bounds that the reward declares.
#pragma once

#include <retort/abi/reward.h>

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "host/algorithm/json_items.h"

namespace retort::host {

/// One declared score.
struct ScoreName {
  std::string name;
  std::optional<double> minimum, maximum;  ///< nothing: unbounded
  std::string summary;
};

/// What a reward says of one item.
struct RewardItem {
  std::vector<double> scores;  ///< one a declared name, in their order; empty where there is an error
  bool malformed = false;      ///< the answer is no answer
  std::string reason;          ///< empty for a full score
  std::string error;           ///< not empty: this item cannot be scored
};

class RewardCall {
 public:
  using Take = std::function<void(std::size_t index, RewardItem item)>;
  /// `id` names the component in errors. The instance and its table are borrowed. Asks for the declared scores; throws
  /// std::runtime_error where they are not what retort/abi/reward.h says.
  RewardCall(std::string id, retort_instance* instance, const retort_reward_v1& functions);

  /// At least one; the first counts where only one does.
  const std::vector<ScoreName>& names() const { return names_; }

  /// `tools`: OpenAI tools as JSON text; `items`: JSON text of an array with `count` items. Hands each verdict on as it
  /// comes, any order. Throws std::runtime_error for a score that is missing, not declared, not finite or out of its
  /// bounds, for an item that is missing or comes twice, what the component says of the batch (see
  /// throw_component_failure), and what `take` throws.
  void score(std::string_view tools, std::string_view items, std::size_t count, const Take& take) const;

 private:
  void read_names(const Json& names);
  RewardItem read_item(const std::string& who, const Json& item) const;

  std::string id_;
  retort_instance* instance_;
  const retort_reward_v1& functions_;
  std::vector<ScoreName> names_;
};

}  // namespace retort::host
