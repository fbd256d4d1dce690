// One stage entry of a config: its component, its parameters, the components in its slots and in theirs.
#include <algorithm>

#include "host/config/config_resolution.h"
#include "host/plugin/parameter_schema.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

constexpr int deepest_nesting = 8;

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

class ComponentTree {
 public:
  ComponentTree(const Registry& registry, Diagnostics& diagnostics) : registry_(registry), diagnostics_(diagnostics) {}

  /// `entry`, which names `component`, without the keys that are not parameters: `target` gets parameters and slots.
  void resolve(const ComponentInfo& component, Json entry, const std::string& pointer, int depth,
               ResolvedComponent& target) {
    target.component = component;
    target.pointer = pointer;
    for (const SlotInfo& slot : component.slots) {
      const auto given = entry.find(slot.name);
      if (given == entry.end()) {
        if (!slot.optional) report_missing(slot, pointer);
        continue;
      }
      fill(slot, *given, pointer_to(pointer, slot.name), depth + 1, target);
      entry.erase(given);
    }
    target.parameters = std::move(entry);
    check_parameters(component, target.parameters, pointer, diagnostics_);
  }

 private:
  void fill(const SlotInfo& slot, const Json& given, const std::string& pointer, int depth, ResolvedComponent& target) {
    if (!slot.list) return add(slot, given, pointer, depth, target);
    if (!given.is_array()) {
      report(pointer, "expected an array of components of " + slot.interface + ", found " + shortened(given),
             "this slot takes several: [{\"use\": …}, …]");
      return;
    }
    if (given.empty() && !slot.optional) report(pointer, "expected at least one component, found []", known(slot));
    for (std::size_t i = 0; i < given.size(); ++i) add(slot, given[i], pointer_to(pointer, i), depth, target);
  }

  void add(const SlotInfo& slot, const Json& entry, const std::string& pointer, int depth, ResolvedComponent& target) {
    if (depth > deepest_nesting) {
      report(pointer, "components nest deeper than " + std::to_string(deepest_nesting) + " levels",
             "take one of them out");
      return;
    }
    if (!entry.is_object()) {
      report(pointer, "expected {\"use\": a component of " + slot.interface + ", …}, found " + shortened(entry),
             known(slot));
      return;
    }
    const ComponentInfo* component = find_component(entry, pointer, slot.interface, registry_, diagnostics_);
    if (component == nullptr) return;
    ResolvedSlot filled;
    filled.name = slot.name;
    filled.interface = slot.interface;
    filled.list = slot.list;
    Json own = entry;
    own.erase("use");
    resolve(*component, std::move(own), pointer, depth, filled);
    target.slots.push_back(std::move(filled));
  }

  void report_missing(const SlotInfo& slot, const std::string& pointer) {
    const std::string one = "{\"use\": a component of " + slot.interface + ", …}";
    report(pointer, "\"" + slot.name + "\" is missing: " + (slot.list ? "[" + one + ", …]" : one), known(slot));
  }
  std::string known(const SlotInfo& slot) const { return suggestion_for("", registry_.component_ids(slot.interface)); }
  static std::string shortened(const Json& value) {
    const std::string text = value.dump();
    return text.size() <= 80 ? text : std::string(value.type_name()) + " of " + std::to_string(value.size());
  }
  void report(const std::string& pointer, const std::string& message, const std::string& suggestion) {
    diagnostics_.push_back({pointer, message, suggestion});
  }

  const Registry& registry_;
  Diagnostics& diagnostics_;
};

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
  stage.produces = component->stage.value("produces", "");
  Json own = entry;
  for (const char* reserved : {"name", "use", "inputs"}) own.erase(reserved);
  ComponentTree(registry, diagnostics).resolve(*component, std::move(own), pointer, 0, stage);
  return stage;
}

std::vector<FilledSlot> fill_slots(const Registry& registry, const std::vector<ResolvedSlot>& slots) {
  std::vector<FilledSlot> filled;
  for (const ResolvedSlot& slot : slots) {
    std::vector<FilledSlot> inner = fill_slots(registry, slot.slots);
    try {
      filled.push_back(
          {slot.name, slot.interface, registry.create(slot.component.id, slot.parameters, std::move(inner))});
    } catch (const PluginError& error) {
      throw PluginError(error.code(), slot.pointer + ": " + error.what());
    }
  }
  return filled;
}

Json by_slot(const std::vector<ResolvedSlot>& slots, const std::function<Json(const ResolvedSlot&)>& describe) {
  Json all = Json::object();
  for (const ResolvedSlot& slot : slots)
    if (slot.list)
      all[slot.name].push_back(describe(slot));
    else
      all[slot.name] = describe(slot);
  return all;
}

}  // namespace retort::host
