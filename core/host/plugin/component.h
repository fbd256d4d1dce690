// Components: what a scan says of one, and a configured one with those that stand in its slots.
#pragma once

#include <retort/abi/plugin.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "host/base/json.h"
#include "host/plugin/plugin_trust.h"

namespace retort::host {

/// A place for other components, as its component declares it.
struct SlotInfo {
  std::string name, interface, summary;
  bool optional = false;
  bool list = false;  ///< an array in the config
};

/// What a scan found out about one component.
struct ComponentInfo {
  std::string id, interface, version, summary;
  Json parameters_schema;
  std::filesystem::path library;
  std::vector<SlotInfo> slots;
  Json stage;  ///< for stages: {"inputs": [{name, kind, optional, list, summary}], "produces": kind}
};

struct FilledSlot;

/// A configured object of a loaded plugin; destroyed with the last copy, before the components in its slots. Not
/// thread-safe unless its interface says so.
class Component {
 public:
  const ComponentInfo& info() const;
  retort_instance* instance() const;
  /// The function table of `interface_id`; throws std::runtime_error if the instance does not offer it, or one that is
  /// too short or lacks a function.
  const void* functions(const std::string& interface_id) const;
  template <typename Table>
  const Table& functions_as(const std::string& interface_id) const {
    return *static_cast<const Table*>(functions(interface_id));
  }

 private:
  friend Component load_component(LibraryFile file, std::shared_ptr<const ComponentInfo> info, const Json& parameters,
                                  std::vector<FilledSlot> slots);
  struct Object;
  Component(std::shared_ptr<const ComponentInfo> info, const retort_plugin_entry& entry, std::uint32_t index,
            const Json& parameters, std::vector<FilledSlot> slots);
  std::shared_ptr<Object> object_;
};

/// What stands in a slot.
struct FilledSlot {
  std::string slot, interface;
  Component component;
};

/// Loads the component's library `file` (once in this process, for good) and makes an instance. `parameters` must have
/// passed validate_parameters; plugins may read the secrets that they name from now on. Whether the library may be
/// loaded is the registry's affair. Throws PluginError for what the component says, std::runtime_error for its library.
Component load_component(LibraryFile file, std::shared_ptr<const ComponentInfo> info, const Json& parameters,
                         std::vector<FilledSlot> slots);

/// The ABI's view of `slot`; borrows its strings.
retort_bound_component bound_component(const FilledSlot& slot);

}  // namespace retort::host
