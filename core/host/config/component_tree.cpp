#include "host/config/component_tree.h"

#include "host/config/config_resolution.h"
#include "host/plugin/parameter_schema.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/secrets.h"

namespace retort::host {
namespace {

constexpr int deepest_nesting = 8;

/// Files that parameters name must exist.
void check_paths(const ResolvedComponent& target, Diagnostics& diagnostics) {
  const auto check = [&](const std::string& pointer, const std::string& text, bool required) {
    if (text.empty() && !required) return;  // not given
    const std::filesystem::path path = path_from(target.folder, text);
    std::error_code ignored;
    if (text.empty())
      diagnostics.push_back({pointer, "expected a file or folder, found an empty path", ""});
    else if (!std::filesystem::exists(path, ignored))
      diagnostics.push_back({pointer, "no such file or folder: " + path.string(),
                             "paths in a config are relative to its file, in " + target.folder.string()});
    else if (!std::filesystem::is_regular_file(path, ignored) && !std::filesystem::is_directory(path, ignored))
      diagnostics.push_back({pointer, "expected a file or folder, found a pipe, socket or device: " + path.string(),
                             "what it gives may differ each time or never end; write it to a file first"});
  };
  visit_format(target.component.parameters_schema, target.parameters, "path-exists", target.pointer, check);
}

/// Who pastes a key here must not find it in the message.
void check_secrets(const ResolvedComponent& target, Diagnostics& diagnostics) {
  const auto check = [&](const std::string& pointer, const std::string& text, bool required) {
    if ((text.empty() && !required) || is_variable_name(text)) return;
    diagnostics.push_back({pointer, "expected the name of an environment variable, found something else (not shown)",
                           "put the key into a variable, and the variable's name here"});
  };
  visit_format(target.component.parameters_schema, target.parameters, "secret-env", target.pointer, check);
}

void check_parameters(ResolvedComponent& target, Diagnostics& diagnostics) {
  validate_parameters(target.component.parameters_schema, target.parameters, target.pointer, diagnostics);
  check_paths(target, diagnostics);
  check_secrets(target, diagnostics);
}

/// The first with its reason: where one thing keeps all of them from loading, it is the same for each.
std::string refused_libraries(const Registry& registry) {
  const auto& refused = registry.refused();
  if (refused.empty()) return "";
  std::string text = "; refused: " + refused.front().library.string() + " (" + refused.front().refusal + ")";
  if (refused.size() > 1)
    text += ", and " + std::to_string(refused.size() - 1) + " more: `retort plugins list` shows why";
  return text;
}

class ComponentTree {
 public:
  ComponentTree(const Registry& registry, Diagnostics& diagnostics) : registry_(registry), diagnostics_(diagnostics) {}

  /// `entry`, which names `component`, without the keys that are not parameters: `target` gets parameters and slots.
  void resolve(const ComponentInfo& component, Json entry, int depth, ResolvedComponent& target) {
    const std::string& pointer = target.pointer;
    target.component = component;
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
    check_parameters(target, diagnostics_);
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
    filled.pointer = pointer;
    filled.folder = target.folder;
    Json own = entry;
    own.erase("use");
    resolve(*component, std::move(own), depth, filled);
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

void resolve_component(const ComponentInfo& component, Json own, const Registry& registry, ResolvedComponent& target,
                       Diagnostics& diagnostics) {
  ComponentTree(registry, diagnostics).resolve(component, std::move(own), 0, target);
}

Json config_entry(const ResolvedComponent& component) {
  Json entry = component.parameters;
  entry["use"] = component.component.id;
  entry.update(by_slot(component.slots, config_entry));
  return entry;
}

std::filesystem::path path_from(const std::filesystem::path& folder, const std::string& text) {
  return (folder / text).lexically_normal();
}

Json instance_parameters(const ResolvedComponent& component) {
  Json parameters = component.parameters;
  const auto replace = [&](const std::string& pointer, const std::string& text, bool) {
    if (!text.empty()) parameters[Json::json_pointer(pointer)] = path_from(component.folder, text).string();
  };
  visit_format(component.component.parameters_schema, component.parameters, "path-exists", "", replace);
  return parameters;
}

Component make_component(const Registry& registry, const ResolvedComponent& component, std::vector<FilledSlot> slots) {
  try {
    return registry.create(component.component.id, instance_parameters(component), std::move(slots));
  } catch (const PluginError& error) {
    throw PluginError(error.code(), component.pointer + ": " + error.what());
  }
}

std::vector<FilledSlot> fill_slots(const Registry& registry, const std::vector<ResolvedSlot>& slots) {
  std::vector<FilledSlot> filled;
  for (const ResolvedSlot& slot : slots)
    filled.push_back({slot.name, slot.interface, make_component(registry, slot, fill_slots(registry, slot.slots))});
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
