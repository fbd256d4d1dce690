#include "host/plugin/known_interfaces.h"

#include <retort/abi/distill.h>
#include <retort/abi/environment.h>
#include <retort/abi/pruner.h>
#include <retort/abi/quantizer.h>
#include <retort/abi/reward.h>
#include <retort/abi/rl.h>
#include <retort/abi/stage.h>
#include <retort/abi/teacher.h>

#include <cstring>

namespace retort::host {

const std::vector<KnownInterface>& known_interfaces() {
  static const std::vector<KnownInterface> all = {
      {RETORT_TEACHER_INTERFACE, "teacher", sizeof(retort_teacher_v1)},
      {RETORT_REWARD_INTERFACE, "reward", sizeof(retort_reward_v1)},
      {RETORT_ENVIRONMENT_INTERFACE, "environment", sizeof(retort_environment_draft1)},
      {RETORT_DISTILL_INTERFACE, "distill", sizeof(retort_distill_v1)},
      {RETORT_RL_INTERFACE, "rl", sizeof(retort_rl_v1)},
      {RETORT_PRUNER_INTERFACE, "prune", sizeof(retort_pruner_v1)},
      {RETORT_QUANTIZER_INTERFACE, "quantize", sizeof(retort_quantizer_v1)},
      {RETORT_STAGE_INTERFACE, "stage", sizeof(retort_stage_v1)},
  };
  return all;
}

const KnownInterface* find_interface(std::string_view id) {
  for (const KnownInterface& known : known_interfaces())
    if (known.id == id) return &known;
  return nullptr;
}

std::string invalid_table_reason(const KnownInterface& known, const void* table) {
  const std::string name(known.id);
  if (table == nullptr) return "does not offer " + name;
  std::uint32_t size = 0;
  std::memcpy(&size, table, sizeof size);
  if (size < known.table_size)
    return "its table of " + name + " has struct_size " + std::to_string(size) + ", expected at least " +
           std::to_string(known.table_size);
  // Every table is {struct_size, reserved, function pointers…}.
  for (std::uint32_t offset = 8; offset < known.table_size; offset += sizeof(void*)) {
    const void* function = nullptr;
    std::memcpy(&function, static_cast<const char*>(table) + offset, sizeof function);
    if (function == nullptr)
      return "function " + std::to_string(offset / sizeof(void*) - 1) + " of its table of " + name + " is NULL";
  }
  return "";
}

}  // namespace retort::host
