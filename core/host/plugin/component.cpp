#include "host/plugin/component.h"

#include <stdexcept>

#include "host/base/numeric_environment.h"
#include "host/plugin/known_interfaces.h"
#include "host/plugin/parameter_schema.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/plugin_library.h"
#include "host/plugin/process_end.h"
#include "host/plugin/secrets.h"

namespace retort::host {

/// The destructor's body destroys the instance; what stands in the slots goes after it.
struct Component::Object {
  std::shared_ptr<const ComponentInfo> info;
  const retort_plugin_entry& entry;
  std::vector<FilledSlot> slots;
  std::vector<retort_bound_component> bound;  ///< lives on: plugins may keep pointers to it
  retort_instance* instance = nullptr;

  Object(std::shared_ptr<const ComponentInfo> component, const retort_plugin_entry& plugin,
         std::vector<FilledSlot> filled)
      : info(std::move(component)), entry(plugin), slots(std::move(filled)) {
    for (const FilledSlot& slot : slots) bound.push_back(bound_component(slot));
  }
  Object(const Object&) = delete;
  Object& operator=(const Object&) = delete;
  ~Object() { entry.destroy(instance); }
};

Component::Component(std::shared_ptr<const ComponentInfo> info, const retort_plugin_entry& entry, std::uint32_t index,
                     const Json& parameters, std::vector<FilledSlot> slots)
    : object_(std::make_shared<Object>(std::move(info), entry, std::move(slots))) {
  const ComponentInfo& known = *object_->info;
  const FlatParameters flat(parameters);
  const retort_create_arguments arguments{
      sizeof(retort_create_arguments), index, flat.data(), flat.size(), object_->bound.data(), object_->bound.size()};
  const UnaskedExit watch(known.id + ": create()");
  retort_error* error = entry.create(&arguments, &object_->instance);
  restore_floating_point(known.id + ": create()");
  throw_if_error(error, known.id);
  if (object_->instance == nullptr)
    throw std::runtime_error(known.id + ": create() of '" + known.library.string() +
                             "' returned neither an error nor an instance");
}

const ComponentInfo& Component::info() const {
  return *object_->info;
}

retort_instance* Component::instance() const {
  return object_->instance;
}

const void* Component::functions(const std::string& interface_id) const {
  const void* table = object_->entry.get_interface(object_->instance, to_abi(interface_id));
  const KnownInterface* known = find_interface(interface_id);
  const std::string reason = known != nullptr   ? invalid_table_reason(*known, table)
                             : table == nullptr ? "does not offer " + interface_id
                                                : "";
  if (!reason.empty())
    throw std::runtime_error("component \"" + info().id + "\" of '" + info().library.string() + "' " + reason);
  return table;
}

Component load_component(LibraryFile file, std::shared_ptr<const ComponentInfo> info, const Json& parameters,
                         std::vector<FilledSlot> slots) {
  allow_secrets(info->parameters_schema, parameters);
  const retort_plugin_entry& entry = loaded_plugin(std::move(file)).entry();
  for (std::uint32_t index = 0; index < entry.component_count(); ++index) {
    const retort_component* candidate = entry.component(index);
    if (candidate != nullptr && to_std(candidate->id) == info->id)
      return {std::move(info), entry, index, parameters, std::move(slots)};
  }
  throw std::runtime_error("'" + info->library.string() + "' no longer offers \"" + info->id +
                           "\", which its scan found");
}

retort_bound_component bound_component(const FilledSlot& slot) {
  return {sizeof(retort_bound_component),
          0,
          to_abi(slot.slot),
          to_abi(slot.component.info().id),
          slot.component.instance(),
          slot.component.functions(slot.interface)};
}

}  // namespace retort::host
