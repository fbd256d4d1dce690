// One stage entry of a config: its component, its parameters, the components in its slots.
#include <algorithm>

#include "host/config/config_resolution.h"
#include "host/plugin/parameter_schema.h"

namespace retort::host {
namespace {

/// Files that parameters name must exist: every string whose schema says "format": "path-exists". Paths stay as the
/// config has them, relative to the current folder, so that a stage's key does not depend on where the project lies.
void check_paths(const Json& schema, const Json& value, const std::string& pointer, Diagnostics& diagnostics) {
  if (value.is_object() && schema.contains("properties")) {
    for (const auto& [key, member] : schema["properties"].items())
      if (value.contains(key)) check_paths(member, value[key], pointer_to(pointer, key), diagnostics);
  } else if (value.is_array() && schema.contains("items")) {
    for (std::size_t i = 0; i < value.size(); ++i)
      check_paths(schema["items"], value[i], pointer_to(pointer, i), diagnostics);
  } else if (value.is_string() && schema.value("format", "") == "path-exists") {
    const std::string path = value.get<std::string>();
    std::error_code ignored;
    if (path.empty() || std::filesystem::exists(path, ignored)) return;  // empty: not given
    diagnostics.push_back({pointer, "no such file or folder: " + path,
                           "paths are relative to the current folder, " + std::filesystem::current_path().string()});
  }
}

void check_parameters(const ComponentInfo& component, Json& parameters, const std::string& pointer,
                      Diagnostics& diagnostics) {
  validate_parameters(component.parameters_schema, parameters, pointer, diagnostics);
  check_paths(component.parameters_schema, parameters, pointer, diagnostics);
}

std::string refused_libraries(const Registry& registry) {
  std::string text;
  for (const PluginInfo& plugin : registry.refused())
    text += "; refused: " + plugin.library.string() + " (" + plugin.refusal + ")";
  return text;
}

/// The component that `entry` names under "use", if it exists and is of `interface`.
const ComponentInfo* find_component(const Json& entry, const std::string& pointer, const std::string& interface,
                                    const Registry& registry, Diagnostics& diagnostics) {
  const std::vector<std::string> fitting = registry.component_ids(interface);
  const auto use = entry.find("use");
  if (use == entry.end()) {
    diagnostics.push_back(
        {pointer, "\"use\" is missing: which component of " + interface + " to use", suggestion_for("", fitting)});
    return nullptr;
  }
  const std::string place = pointer_to(pointer, "use");
  if (!use->is_string()) {
    diagnostics.push_back({place, "expected a component's id, found " + use->dump(), suggestion_for("", fitting)});
    return nullptr;
  }
  const std::string id = use->get<std::string>();
  const ComponentInfo* component = registry.find(id);
  if (component == nullptr) {
    diagnostics.push_back(
        {place, "unknown component \"" + id + "\"", suggestion_for(id, fitting) + refused_libraries(registry)});
  } else if (component->interface != interface) {
    diagnostics.push_back(
        {place, "\"" + id + "\" implements " + component->interface + "; expected a component of " + interface,
         suggestion_for("", fitting)});
    component = nullptr;
  }
  return component;
}

void resolve_slot(const Json& description, const Json& entry, const std::string& pointer, const Registry& registry,
                  ResolvedStage& stage, Diagnostics& diagnostics) {
  ResolvedSlot slot{description["name"], description["interface"], {}, entry};
  if (!entry.is_object()) {
    diagnostics.push_back({pointer,
                           "expected {\"use\": a component of " + slot.interface + ", …}, found " + entry.dump(),
                           suggestion_for("", registry.component_ids(slot.interface))});
    return;
  }
  const ComponentInfo* component = find_component(entry, pointer, slot.interface, registry, diagnostics);
  if (component == nullptr) return;
  slot.component = *component;
  slot.parameters.erase("use");
  check_parameters(*component, slot.parameters, pointer, diagnostics);
  stage.slots.push_back(std::move(slot));
}

}  // namespace

std::string suggestion_for(const std::string& name, const std::vector<std::string>& candidates) {
  const std::string nearest = name.empty() ? "" : nearest_name(name, candidates);
  if (!nearest.empty()) return "did you mean \"" + nearest + "\"?";
  std::string known;
  for (const std::string& candidate : candidates) known += (known.empty() ? "" : ", ") + candidate;
  return known.empty() ? "none is known: see `retort plugins list`" : "known: " + known;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.size() <= 100 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                  c == '.';
         });
}

ResolvedStage resolve_stage(const Json& entry, const std::string& pointer, const Registry& registry,
                            Diagnostics& diagnostics) {
  ResolvedStage stage;
  if (!entry.is_object()) {
    diagnostics.push_back({pointer, "expected {\"name\": …, \"use\": …}, found " + entry.dump(), ""});
    return stage;
  }
  const Json name = entry.value("name", Json());
  if (!name.is_string() || !is_plain_name(name.get<std::string>()))
    diagnostics.push_back({pointer_to(pointer, "name"),
                           name.is_null() ? "a stage needs a name" : "not a name for a stage: " + name.dump(),
                           "letters, digits, \"_\", \"-\" and \".\", up to 100 of them"});
  else
    stage.name = name.get<std::string>();

  const ComponentInfo* component = find_component(entry, pointer, "retort.stage/1", registry, diagnostics);
  if (component == nullptr) return stage;
  stage.component = *component;
  stage.produces = component->stage.value("produces", "");
  stage.parameters = entry;
  for (const char* reserved : {"name", "use", "inputs"}) stage.parameters.erase(reserved);
  for (const Json& slot : component->stage.value("slots", Json::array())) {
    const std::string slot_name = slot["name"];
    if (entry.contains(slot_name)) {
      resolve_slot(slot, entry[slot_name], pointer_to(pointer, slot_name), registry, stage, diagnostics);
      stage.parameters.erase(slot_name);
    } else if (!slot.value("optional", false)) {
      diagnostics.push_back({pointer,
                             "\"" + slot_name + "\" is missing: {\"use\": a component of " +
                                 slot["interface"].get<std::string>() + ", …}",
                             suggestion_for("", registry.component_ids(slot["interface"]))});
    }
  }
  check_parameters(*component, stage.parameters, pointer, diagnostics);
  return stage;
}

}  // namespace retort::host
