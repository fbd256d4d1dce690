#include "host/plugin/conformance_slots.h"

#include <retort/abi/stage.h>
#include <retort/abi/teacher.h>

#include "host/base/json.h"
#include "host/plugin/conformance_checks.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

Json scripted_answer(const Json& request) {
  if (!request.is_object() || !request.value("messages", Json()).is_array())
    return {{"error", "expected {\"messages\": […]}"}};
  const Json verdict = {{"score", 0.5}, {"reason", "scripted"}};
  const Json choice = {{"message", {{"role", "assistant"}, {"content", verdict.dump()}}}, {"finish_reason", "stop"}};
  const std::size_t wanted = request.value("n", std::size_t{1});
  return {{"choices", std::vector<Json>(wanted, choice)}};
}

retort_error* complete(retort_instance*, const retort_teacher_batch* batch, const retort_item_sink* responses) {
  try {
    const Json requests = parse_json(to_std(batch->requests), "the requests to the scripted teacher");
    for (std::size_t i = 0; i < requests.size(); ++i) {
      const std::string item = scripted_answer(requests[i]).dump(-1, ' ', false, Json::error_handler_t::replace);
      responses->item(responses->context, i, to_abi(item));
    }
    return nullptr;
  } catch (const std::exception& error) {
    return host_services().error_new(RETORT_ERROR_INVALID_ARGUMENT, to_abi(std::string_view(error.what())));
  }
}

}  // namespace

std::vector<retort_bound_component> stand_ins(const ComponentInfo& info) {
  static const retort_teacher_v1 teacher = {RETORT_TEACHER_V1_SIZE, 0, complete, nullptr};
  static char place = 0;  // the scripted teacher has no state
  std::vector<retort_bound_component> components;
  if (info.interface == RETORT_STAGE_INTERFACE) return components;
  for (const SlotInfo& slot : info.slots) {
    if (slot.optional) continue;
    if (slot.interface != RETORT_TEACHER_INTERFACE)
      throw CheckSkipped{"its slot \"" + slot.name + "\" needs a component of " + slot.interface +
                         ", and there is no stand-in for that"};
    components.push_back({sizeof(retort_bound_component), 0, to_abi(slot.name), to_abi("teacher.scripted"),
                          reinterpret_cast<retort_instance*>(&place), &teacher});
  }
  return components;
}

}  // namespace retort::host
