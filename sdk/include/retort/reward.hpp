// Base class of rewards (retort.reward/1).
#pragma once

#include <retort/abi/reward.h>

#include <retort/component.hpp>

namespace retort {

class Reward : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_REWARD_INTERFACE;
  /// JSON array of items → JSON array of {"score", "reason"}, as retort/abi/reward.h defines them.
  virtual std::string score(std::string_view tools, std::string_view items) = 0;

  const void* table(std::string_view id) const final {
    static const retort_reward_v1 functions = {sizeof(retort_reward_v1), 0, &abi_score};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_score(retort_instance* instance, retort_string tools, retort_string items,
                                 const retort_text_sink* scores) {
    return detail::guarded(
        [&] { detail::write(scores, detail::self<Reward>(instance).score(to_view(tools), to_view(items))); });
  }
};

}  // namespace retort
