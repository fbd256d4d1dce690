// What a loaded library says about itself, checked, and as the JSON that crosses from the scanning process.
#pragma once

#include "host/base/json.h"
#include "host/plugin/plugin_library.h"
#include "host/plugin/registry.h"

namespace retort::host {

/// Calls init() and reads every component; makes no instance. Throws std::runtime_error that names the file and the
/// first thing that is wrong with it.
PluginInfo describe_plugin(const PluginLibrary& library);

/// An instance for the time of a few calls.
class ScopedInstance {
 public:
  /// Throws PluginError, or std::runtime_error if create() returned neither an error nor an instance.
  /// `components` fill its slots.
  ScopedInstance(const retort_plugin_entry& entry, std::uint32_t index, const Json& parameters,
                 const std::vector<retort_bound_component>& components = {});
  ~ScopedInstance() { entry_.destroy(instance_); }
  ScopedInstance(const ScopedInstance&) = delete;
  ScopedInstance& operator=(const ScopedInstance&) = delete;
  retort_instance* get() const { return instance_; }

 private:
  const retort_plugin_entry& entry_;
  retort_instance* instance_ = nullptr;
};

Json to_json(const std::vector<SlotInfo>& slots);
Json to_json(const PluginInfo& info);
/// Throws std::exception for JSON of another shape.
PluginInfo plugin_info_from_json(const Json& json);

}  // namespace retort::host
