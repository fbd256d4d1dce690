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
std::vector<const Member*> members(const Member* first, std::uint64_t count, const std::string& what) {
  std::vector<const Member*> all;
  const char* next = reinterpret_cast<const char*>(first);
  for (std::uint64_t i = 0; i < count; ++i) {
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
  if (!RETORT_HAS_FIELD(&description, retort_stage_description, produces))
    throw std::runtime_error("its description has struct_size " + std::to_string(description.struct_size) +
                             ", expected at least " + std::to_string(sizeof(retort_stage_description)));
  Json inputs = Json::array();
  std::set<std::string> names;
  for (const auto* input : members(description.inputs, description.input_count, "its inputs")) {
    const std::string name = non_empty(input->name, "the name of an input");
    if (!names.insert(name).second) throw std::runtime_error("it has two inputs \"" + name + "\"");
    inputs.push_back({{"name", name},
                      {"kind", artifact_kind(input->kind, "the kind of an input")},
                      {"optional", (input->flags & RETORT_INPUT_OPTIONAL) != 0},
                      {"list", (input->flags & RETORT_INPUT_LIST) != 0},
                      {"summary", text_of(input->summary, "the summary of an input")}});
  }
  return {{"inputs", inputs}, {"produces", artifact_kind(description.produces, "the kind that it produces")}};
}

Json describe_stage(const retort_component& component, const ComponentInfo& info) {
  const bool described = RETORT_HAS_FIELD(&component, retort_component, stage) && component.stage != nullptr;
  if (info.interface != RETORT_STAGE_INTERFACE) {
    if (described) throw std::runtime_error("\"" + info.id + "\" describes a stage but implements " + info.interface);
    return nullptr;
  }
  if (!described)
    throw std::runtime_error("the stage \"" + info.id + "\" says neither what it reads nor what it writes: set " +
                             "retort_component.stage (in C++: static const StageShape& shape())");
  try {
    return stage_json(*component.stage);
  } catch (const std::exception& error) {
    throw std::runtime_error("the stage \"" + info.id + "\" cannot be used: " + error.what());
  }
}

std::vector<SlotInfo> describe_slots(const retort_component& component, const ComponentInfo& info) {
  std::vector<SlotInfo> slots;
  if (!RETORT_HAS_FIELD(&component, retort_component, slot_count)) return slots;
  const std::string what = "the slots of \"" + info.id + "\"";
  const Json properties = info.parameters_schema.value("properties", Json::object());
  std::set<std::string> taken = {"use", "name", "inputs"};
  for (const auto* slot : members(component.slots, component.slot_count, what)) {
    SlotInfo known{non_empty(slot->name, "the name of one of " + what), text_of(slot->interface, what),
                   text_of(slot->summary, what), (slot->flags & RETORT_SLOT_OPTIONAL) != 0,
                   (slot->flags & RETORT_SLOT_LIST) != 0};
    if (!taken.insert(known.name).second || properties.contains(known.name))
      throw std::runtime_error(what + ": the name \"" + known.name +
                               "\" is taken: a slot's differs from other slots, parameters, use, name and inputs");
    check_interface(info.id + "/" + known.name, known.interface);
    slots.push_back(std::move(known));
  }
  return slots;
}

/// A config has these keys beside the parameters.
void check_parameter_names(const ComponentInfo& info) {
  const Json properties = info.parameters_schema.value("properties", Json::object());
  const bool stage = info.interface == RETORT_STAGE_INTERFACE;
  for (const char* reserved : {"use", "name", "inputs"})
    if (properties.contains(reserved) && (stage || std::string(reserved) == "use"))
      throw std::runtime_error("\"" + info.id + "\" has a parameter \"" + reserved +
                               "\", which a config uses for something else; give it another name");
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
  check_parameter_names(info);
  info.slots = describe_slots(*component, info);
  info.stage = describe_stage(*component, info);
  return info;
}

}  // namespace

ScopedInstance::ScopedInstance(const retort_plugin_entry& entry, std::uint32_t index, const Json& parameters,
                               const std::vector<retort_bound_component>& components)
    : entry_(entry) {
  const FlatParameters flat(parameters);
  const retort_create_arguments arguments{
      sizeof(retort_create_arguments), index, flat.data(), flat.size(), components.data(), components.size()};
  throw_if_error(entry.create(&arguments, &instance_), "create()");
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

Json to_json(const std::vector<SlotInfo>& slots) {
  Json all = Json::array();
  for (const SlotInfo& slot : slots)
    all.push_back({{"name", slot.name},
                   {"interface", slot.interface},
                   {"optional", slot.optional},
                   {"list", slot.list},
                   {"summary", slot.summary}});
  return all;
}

Json to_json(const PluginInfo& info) {
  Json components = Json::array();
  for (const ComponentInfo& component : info.components)
    components.push_back({{"id", component.id},
                          {"interface", component.interface},
                          {"version", component.version},
                          {"summary", component.summary},
                          {"parameters", component.parameters_schema},
                          {"slots", to_json(component.slots)},
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
    for (const Json& slot : entry.at("slots"))
      component.slots.push_back(
          {slot.at("name"), slot.at("interface"), slot.at("summary"), slot.at("optional"), slot.at("list")});
    component.stage = entry.at("stage");
    component.library = info.library;
    info.components.push_back(std::move(component));
  }
  return info;
}

}  // namespace retort::host
