// Base class of rewards (retort.reward/1), and a reward that stands in a slot.
#pragma once

#include <retort/abi/reward.h>

#include <retort/component.hpp>
#include <string>
#include <string_view>

namespace retort {

/// JSON texts; retort/abi/reward.h says what is in them.
struct RewardBatch {
  std::string_view tools;  ///< of every item without its own
  std::string_view items;  ///< array
};

class Reward : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_REWARD_INTERFACE;
  /// JSON array of {"name", "minimum", "maximum", "summary"}; the first score counts where only one does.
  virtual std::string scores() const {
    return R"([{"name":"score","minimum":0,"maximum":1,"summary":"of the answer"}])";
  }
  /// An item each: {"scores": {…}, "reason"}, {"malformed": true, "scores": {…}, "reason"} or {"error": reason}.
  virtual void score(const RewardBatch& batch, const ItemSink& scores) = 0;

  const void* table(std::string_view id) const final {
    static const retort_reward_v1 functions = {RETORT_REWARD_V1_SIZE, 0, &abi_scores, &abi_score};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_scores(retort_instance* instance, const retort_text_sink* names) {
    return detail::guarded([&] { detail::write(names, detail::self<Reward>(instance).scores()); });
  }
  static retort_error* abi_score(retort_instance* instance, const retort_reward_batch* batch,
                                 const retort_item_sink* scores) {
    return detail::guarded([&] {
      detail::self<Reward>(instance).score({to_view(batch->tools), to_view(batch->items)}, ItemSink(*scores));
    });
  }
};

/// A reward in a slot, as a stage uses it.
class RewardSlot {
 public:
  using Take = detail::ItemsInto::Take;
  explicit RewardSlot(BoundComponent component) : component_(std::move(component)) {}
  std::string scores() const {
    std::string text;
    const retort_text_sink sink = detail::sink_into(text);
    throw_if_error(component_.functions<retort_reward_v1>().scores(component_.instance(), &sink));
    return text;
  }
  /// Calls take(index, item) for every score as it comes.
  void score(const RewardBatch& batch, Take take) const {
    const detail::ItemsInto items(std::move(take));
    const retort_reward_batch abi{sizeof(retort_reward_batch), 0, to_abi(batch.tools), to_abi(batch.items)};
    throw_if_error(component_.functions<retort_reward_v1>().score(component_.instance(), &abi, items.sink()));
    items.rethrow();
  }
  std::string_view id() const { return component_.id(); }

 private:
  BoundComponent component_;
};

}  // namespace retort
