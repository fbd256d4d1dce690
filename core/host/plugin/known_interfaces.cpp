#include "host/plugin/known_interfaces.h"

#include <retort/abi/distill.h>
#include <retort/abi/environment.h>
#include <retort/abi/preference.h>
#include <retort/abi/pruner.h>
#include <retort/abi/quantizer.h>
#include <retort/abi/reward.h>
#include <retort/abi/rl.h>
#include <retort/abi/sparsifier.h>
#include <retort/abi/stage.h>
#include <retort/abi/teacher.h>

#include <cstring>

namespace retort::host {

const std::vector<KnownInterface>& known_interfaces() {
  static const std::vector<KnownInterface> all = {
      {RETORT_TEACHER_INTERFACE, "teacher", RETORT_TEACHER_V1_SIZE, {{"complete"}, {"score", true}}},
      {RETORT_REWARD_INTERFACE, "reward", RETORT_REWARD_V1_SIZE, {{"scores"}, {"score"}}},
      {RETORT_ENVIRONMENT_INTERFACE,
       "environment",
       RETORT_ENVIRONMENT_V1_SIZE,
       {{"tools"}, {"generate", true}, {"start"}, {"execute"}, {"state", true}, {"end"}}},
      {RETORT_DISTILL_INTERFACE, "distill", RETORT_DISTILL_V1_SIZE, {{"requirements"}, {"initialise", true}, {"loss"}}},
      {RETORT_RL_INTERFACE, "rl", RETORT_RL_V1_SIZE, {{"requirements"}, {"advantages"}, {"loss"}}},
      {RETORT_PREFERENCE_INTERFACE, "preference", RETORT_PREFERENCE_V1_SIZE, {{"requirements"}, {"loss"}}},
      {RETORT_PRUNER_INTERFACE, "prune", RETORT_PRUNER_V1_SIZE, {{"requirements"}, {"plan"}}},
      {RETORT_SPARSIFIER_INTERFACE, "sparsify", RETORT_SPARSIFIER_V1_SIZE, {{"requirements"}, {"sparsify"}}},
      {RETORT_QUANTIZER_INTERFACE,
       "quantize",
       RETORT_QUANTIZER_V1_SIZE,
       {{"requirements"}, {"scheme"}, {"smooth", true}, {"quantize"}}},
      {RETORT_STAGE_INTERFACE, "stage", RETORT_STAGE_V1_SIZE, {{"check", true}, {"run"}}},
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
  const char* place = static_cast<const char*>(table) + 8;
  for (const KnownFunction& known_function : known.functions) {
    const void* function = nullptr;
    std::memcpy(&function, place, sizeof function);
    if (function == nullptr && !known_function.optional)
      return "function " + std::string(known_function.name) + "() of its table of " + name + " is NULL";
    place += sizeof function;
  }
  return "";
}

}  // namespace retort::host
