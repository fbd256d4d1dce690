#include "host/plugin/plugin_description.h"

#include <retort/abi/stage.h>

#include <set>
#include <stdexcept>

#include "host/plugin/known_interfaces.h"
#include "host/plugin/parameter_schema.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

constexpr std::uint64_t longest_text = 1 << 24;

/// A text that a plugin handed out. Throws std::runtime_error beginning with `what`.
std::string text_of(retort_string text, const std::string& what) {
  if (text.data == nullptr && text.size > 0) throw std::runtime_error(what + " is NULL with a size");
  if (text.size > longest_text) throw std::runtime_error(what + " has " + std::to_string(text.size) + " bytes");
  std::string copy = to_std(text);
  try {
    static_cast<void>(Json(copy).dump());
  } catch (const Json::exception&) {
    throw std::runtime_error(what + " is not UTF-8");
  }
  return copy;
}

std::string non_empty(retort_string text, const std::string& what) {
  std::string copy = text_of(text, what);
  if (copy.empty()) throw std::runtime_error(what + " is empty");
  return copy;
}

/// "<interface>.<name>": lower case, digits, "_" and "-" between dots.
void check_id(const std::string& id) {
  const bool good = id.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_-.") == std::string::npos &&
                    id.find('.') != std::string::npos && id.front() != '.' && id.back() != '.';
  if (!good)
    throw std::runtime_error("component id \"" + id +
                             "\" is not of the form <interface>.<name>, as distill.forward_kl");
}

void check_interface(const std::string& id, const std::string& interface) {
  if (find_interface(interface) != nullptr) return;
  std::string known;
  for (const KnownInterface& candidate : known_interfaces())
    known += (known.empty() ? "" : ", ") + std::string(candidate.id);
  throw std::runtime_error("component \"" + id + "\" implements the unknown interface \"" + interface +
                           "\"; this host knows " + known);
}

Json schema_of(const retort_component& component, const std::string& id) {
  // Left out by a struct that ends before it: no parameters.
  if (!RETORT_HAS_FIELD(&component, retort_component, parameters_schema)) return {{"type", "object"}};
  const std::string text = text_of(component.parameters_schema, "the parameter schema of \"" + id + "\"");
  Json schema;
  try {
    schema = parse_json(text, "the parameter schema of \"" + id + "\"");
  } catch (const std::invalid_argument& error) {
    throw std::runtime_error(error.what());
  }
  const std::string reason = invalid_schema_reason(schema);
  if (!reason.empty()) throw std::runtime_error("the parameter schema of \"" + id + "\" cannot be used: " + reason);
  return schema;
}

/// Members of an array whose structs may be longer than this host's: they say their size themselves.
template <typename Member>
std::vector<const Member*> members(const Member* first, std::uint32_t count, const std::string& what) {
  std::vector<const Member*> all;
  const char* next = reinterpret_cast<const char*>(first);
  for (std::uint32_t i = 0; i < count; ++i) {
    if (first == nullptr) throw std::runtime_error(what + " are NULL with a count");
    const auto* member = reinterpret_cast<const Member*>(next);
    if (member->struct_size < sizeof(Member)) throw std::runtime_error(what + " have too small a struct_size");
    all.push_back(member);
    next += first->struct_size;
  }
  return all;
}

std::string artifact_kind(retort_string text, const std::string& what) {
  static const std::set<std::string> kinds = {"dataset", "model", "signals", "report"};
  const std::string kind = text_of(text, what);
  if (kinds.count(kind) == 0)
    throw std::runtime_error(what + " is \"" + kind + "\", expected dataset, model, signals or report");
  return kind;
}

Json stage_json(const retort_stage_description& description) {
  Json stage = {{"inputs", Json::array()}, {"slots", Json::array()}};
  std::set<std::string> names;
  const auto named = [&](retort_string text, const std::string& what) {
    std::string name = non_empty(text, what);
    if (!names.insert(name).second) throw std::runtime_error("the name \"" + name + "\" stands for two things");
    return name;
  };
  for (const auto* input : members(description.inputs, description.input_count, "its inputs"))
    stage["inputs"].push_back({{"name", named(input->name, "the name of an input")},
                               {"kind", artifact_kind(input->kind, "the kind of an input")},
                               {"optional", (input->flags & RETORT_INPUT_OPTIONAL) != 0},
                               {"list", (input->flags & RETORT_INPUT_LIST) != 0},
                               {"summary", text_of(input->summary, "the summary of an input")}});
  names.clear();
  for (const auto* slot : members(description.slots, description.slot_count, "its slots")) {
    const std::string name = named(slot->name, "the name of a slot");
    const std::string interface = text_of(slot->interface, "the interface of a slot");
    check_interface(name, interface);
    stage["slots"].push_back({{"name", name},
                              {"interface", interface},
                              {"optional", (slot->flags & RETORT_SLOT_OPTIONAL) != 0},
                              {"summary", text_of(slot->summary, "the summary of a slot")}});
  }
  stage["produces"] = artifact_kind(description.produces, "the kind that it produces");
  return stage;
}

Json describe_stage(const retort_plugin_entry& entry, std::uint32_t index, const ComponentInfo& info) {
  try {
    const ScopedInstance instance(entry, index, least_parameters(info.parameters_schema));
    const void* table = entry.get_interface(instance.get(), to_abi(info.interface));
    const std::string reason = invalid_table_reason(*find_interface(info.interface), table);
    if (!reason.empty()) throw std::runtime_error(reason);
    retort_stage_description description{};
    description.struct_size = sizeof description;
    throw_if_error(static_cast<const retort_stage_v1*>(table)->describe(instance.get(), &description), "describe()");
    return stage_json(description);
  } catch (const std::exception& error) {
    throw std::runtime_error("the stage \"" + info.id + "\" does not describe itself: " + error.what() +
                             "; a stage's constructor and describe() must do without the things its parameters name");
  }
}

ComponentInfo describe_component(const PluginLibrary& library, std::uint32_t index) {
  const std::string position = "component " + std::to_string(index);
  const retort_component* component = library.entry().component(index);
  if (component == nullptr) throw std::runtime_error(position + " is NULL though component_count() counts it");
  if (!RETORT_HAS_FIELD(component, retort_component, summary))
    throw std::runtime_error(position + " has struct_size " + std::to_string(component->struct_size) +
                             ", expected at least " + std::to_string(sizeof(retort_component)));
  ComponentInfo info;
  info.library = library.path();
  info.id = non_empty(component->id, "the id of " + position);
  check_id(info.id);
  info.interface = text_of(component->interface, "the interface of \"" + info.id + "\"");
  check_interface(info.id, info.interface);
  info.version = non_empty(component->version, "the version of \"" + info.id + "\"");
  info.summary = text_of(component->summary, "the summary of \"" + info.id + "\"");
  info.parameters_schema = schema_of(*component, info.id);
  if (info.interface == RETORT_STAGE_INTERFACE) info.stage = describe_stage(library.entry(), index, info);
  return info;
}

}  // namespace

ScopedInstance::ScopedInstance(const retort_plugin_entry& entry, std::uint32_t index, const Json& parameters)
    : entry_(entry) {
  const FlatParameters flat(parameters);
  throw_if_error(entry.create(index, flat.data(), flat.size(), &instance_), "create()");
  if (instance_ == nullptr) throw std::runtime_error("create() returned neither an error nor an instance");
}

PluginInfo describe_plugin(const PluginLibrary& library) {
  PluginInfo info;
  info.library = library.path();
  try {
    const retort_plugin_entry& entry = library.entry();
    info.abi_major = entry.abi_major;
    info.abi_minor = entry.abi_minor;
    info.name = text_of(entry.name, "its name");
    info.version = text_of(entry.version, "its version");
    info.license = text_of(entry.license, "its license");
    library.start();
    const std::uint32_t count = entry.component_count();
    if (count == 0) throw std::runtime_error("it offers no components");
    std::set<std::string> ids;
    for (std::uint32_t index = 0; index < count; ++index) {
      info.components.push_back(describe_component(library, index));
      const std::string& id = info.components.back().id;
      if (!ids.insert(id).second) throw std::runtime_error("it offers two components with the id \"" + id + "\"");
    }
  } catch (const PluginError&) {
    throw;  // names the file already
  } catch (const std::exception& error) {
    throw std::runtime_error("'" + info.library.string() + "': " + error.what());
  }
  return info;
}

Json to_json(const PluginInfo& info) {
  Json components = Json::array();
  for (const ComponentInfo& component : info.components)
    components.push_back({{"id", component.id},
                          {"interface", component.interface},
                          {"version", component.version},
                          {"summary", component.summary},
                          {"parameters", component.parameters_schema},
                          {"stage", component.stage}});
  return {{"library", info.library.string()},
          {"name", info.name},
          {"version", info.version},
          {"license", info.license},
          {"abi", {info.abi_major, info.abi_minor}},
          {"components", components},
          {"refusal", info.refusal}};
}

PluginInfo plugin_info_from_json(const Json& json) {
  PluginInfo info;
  info.library = json.at("library").get<std::string>();
  info.name = json.at("name");
  info.version = json.at("version");
  info.license = json.at("license");
  info.abi_major = json.at("abi").at(0);
  info.abi_minor = json.at("abi").at(1);
  info.refusal = json.at("refusal");
  for (const Json& entry : json.at("components")) {
    ComponentInfo component;
    component.id = entry.at("id");
    component.interface = entry.at("interface");
    component.version = entry.at("version");
    component.summary = entry.at("summary");
    component.parameters_schema = entry.at("parameters");
    component.stage = entry.at("stage");
    component.library = info.library;
    info.components.push_back(std::move(component));
  }
  return info;
}

}  // namespace retort::host
