// Components as a config nests them: checked, as recipes and records describe them, and made.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "host/base/diagnostic.h"
#include "host/plugin/component.h"
#include "host/plugin/registry.h"

namespace retort::host {

struct ResolvedSlot;

/// A component with what the config says of it. Components in its slots may have slots of their own.
struct ResolvedComponent {
  ComponentInfo component;
  Json parameters;                  ///< defaults filled in; paths as the config has them
  std::vector<ResolvedSlot> slots;  ///< those that the config fills; a list's members follow each other
  std::string pointer;              ///< where it stands in the config: "/stages/2/reward/teacher"
  std::filesystem::path folder;     ///< of the config file: what relative paths begin at
};

struct ResolvedSlot : ResolvedComponent {
  std::string name, interface;
  bool list = false;
};

/// Fills component, parameters and slots of `target`, whose pointer and folder are set, from `own`: an entry of a
/// config without the keys that are neither. Appends every finding.
void resolve_component(const ComponentInfo& component, Json own, const Registry& registry, ResolvedComponent& target,
                       std::vector<Diagnostic>& diagnostics);

/// The component that `entry` names under "use"; NULL and a finding if there is none or it is not of `interface`.
const ComponentInfo* find_component(const Json& entry, const std::string& pointer, const std::string& interface,
                                    const Registry& registry, std::vector<Diagnostic>& diagnostics);

/// What a config would say of it: {"use", its parameters, its slots}, every default written out.
Json config_entry(const ResolvedComponent& component);

/// Where the path `text` of a config in `folder` leads.
std::filesystem::path path_from(const std::filesystem::path& folder, const std::string& text);

/// Its parameters as an instance gets them: paths are absolute.
Json instance_parameters(const ResolvedComponent& component);

/// Makes it with what stands in its slots (none for a stage, which gets them with its context). Throws as
/// Registry::create does; PluginError with its pointer.
Component make_component(const Registry& registry, const ResolvedComponent& component, std::vector<FilledSlot> slots);

/// Makes what stands in `slots`, innermost first.
std::vector<FilledSlot> fill_slots(const Registry& registry, const std::vector<ResolvedSlot>& slots);

/// `describe(slot)` for every slot, by name: an array for a list, its value otherwise.
Json by_slot(const std::vector<ResolvedSlot>& slots, const std::function<Json(const ResolvedSlot&)>& describe);

}  // namespace retort::host
