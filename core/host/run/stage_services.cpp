#include "host/run/stage_services.h"

#include <stdexcept>

#include "host/plugin/plugin_error.h"
#include "host/run/stage_context.h"
#include "host/run/stage_run.h"

namespace retort::host {
namespace {

const ResolvedSlot& find_slot(const ResolvedStage& stage, const std::string& name, std::uint64_t index) {
  std::uint64_t count = 0;
  for (const ResolvedSlot& slot : stage.slots)
    if (slot.name == name && count++ == index) return slot;
  throw std::invalid_argument("slot \"" + name + "\" of stage \"" + stage.name + "\" holds " + std::to_string(count) +
                              " components, asked for number " + std::to_string(index));
}

/// `body` may throw; the ABI may not.
template <typename Body>
retort_error* guarded(Body&& body) noexcept {
  const auto error = [](std::int32_t code, const char* message) {
    return host_services().error_new(code, to_abi(std::string_view(message)));
  };
  try {
    body();
    return nullptr;
  } catch (const StageInterrupted& stopped) {
    return error(RETORT_ERROR_STOPPED, stopped.what());
  } catch (const PluginError& failure) {
    return error(failure.code(), failure.what());
  } catch (const std::invalid_argument& failure) {
    return error(RETORT_ERROR_INVALID_ARGUMENT, failure.what());
  } catch (const std::exception& failure) {
    return error(RETORT_ERROR_RUNTIME, failure.what());
  }
}

StageServices& services_of(const retort_stage_context* context) {
  return static_cast<StageContext*>(context->context)->services();
}

retort_error* abi_create(const retort_stage_context* context, retort_string slot, std::uint64_t index,
                         retort_string parameters, const retort_bound_component** out) {
  return guarded([&] { *out = services_of(context).create(to_std(slot), index, to_std(parameters)); });
}

void abi_destroy(const retort_stage_context* context, const retort_bound_component* component) {
  host_services().error_free(guarded([&] { services_of(context).destroy(component); }));
}

retort_error* abi_run(const retort_stage_context* context, retort_string stage, const retort_text_sink* folder) {
  return guarded([&] { folder->write(folder->context, to_abi(services_of(context).run(to_std(stage)))); });
}

}  // namespace

std::string listed(const std::string& what, const std::vector<Diagnostic>& diagnostics) {
  std::string text =
      what + ": " + std::to_string(diagnostics.size()) + (diagnostics.size() == 1 ? " mistake" : " mistakes");
  for (const Diagnostic& diagnostic : diagnostics) text += "\n  " + to_string(diagnostic);
  return text;
}

const retort_bound_component* StageServices::create(const std::string& slot, std::uint64_t index,
                                                    const std::string& parameters) {
  const ResolvedSlot& model = find_slot(stage_, slot, index);
  const Json changes = parse_json(parameters, "the parameters of a component of slot \"" + slot + "\"");
  if (!changes.is_object() || changes.contains("use"))
    throw std::invalid_argument("the parameters of a component of slot \"" + slot +
                                "\": expected an object without \"use\", found " + changes.dump());
  Json own = config_entry(model);
  own.erase("use");
  own.update(changes);
  ResolvedSlot changed;
  changed.name = model.name;
  changed.interface = model.interface;
  changed.pointer = model.pointer;
  changed.folder = model.folder;
  std::vector<Diagnostic> diagnostics;
  resolve_component(model.component, std::move(own), registry_, changed, diagnostics);
  if (!diagnostics.empty()) throw std::invalid_argument(listed(model.component.id, diagnostics));
  auto made = std::make_unique<Made>(
      Made{{slot, model.interface, make_component(registry_, changed, fill_slots(registry_, changed.slots))}, {}});
  made->bound = bound_component(made->slot);
  const std::lock_guard lock(mutex_);
  const retort_bound_component* key = &made->bound;
  made_[key] = std::move(made);
  return key;
}

void StageServices::destroy(const retort_bound_component* component) {
  if (component == nullptr) return;
  std::unique_ptr<Made> last;  // destroyed without the lock
  const std::lock_guard lock(mutex_);
  const auto found = made_.find(component);
  if (found == made_.end()) throw std::invalid_argument("destroy() of a component that create() did not return");
  last = std::move(found->second);
  made_.erase(found);
}

std::string StageServices::run(const std::string& stage) {
  if (!run_stage_) throw std::invalid_argument("no stage runs while a config is checked");
  return run_stage_(parse_json(stage, "a stage that \"" + stage_.name + "\" runs")).string();
}

const retort_host_stages_v1& StageServices::table() {
  static const retort_host_stages_v1 functions = {RETORT_HOST_STAGES_V1_SIZE, 0, abi_create, abi_destroy, abi_run};
  return functions;
}

}  // namespace retort::host
