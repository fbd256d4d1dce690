#include "component_description.h"

#include <algorithm>
#include <sstream>
#include <utility>
#include <vector>

#include "host/plugin/parameter_schema.h"

namespace retort::apps {

using host::Json;

namespace {

constexpr int deepest_example = 4;

std::string format_words(const Json& schema) {
  const std::string format = schema.value("format", "");
  if (format == "path-exists") return ", a file or folder, relative to the config";
  if (format == "secret-env") return ", the name of an environment variable that holds a key";
  return "";
}

/// "number above 0, default 2.0"
std::string constraints_of(const Json& schema, bool required) {
  static const std::vector<std::pair<const char*, const char*>> words = {
      {"minimum", "at least"}, {"maximum", "at most"}, {"exclusiveMinimum", "above"}, {"exclusiveMaximum", "below"}};
  std::string text = schema.at("type");
  for (const auto& [keyword, word] : words)
    if (schema.contains(keyword)) text += std::string(" ") + word + " " + schema.at(keyword).dump();
  if (schema.contains("unit")) text += " in " + schema.at("unit").get<std::string>();
  if (schema.contains("enum")) text += " of " + schema.at("enum").dump();
  text += format_words(schema);
  if (required)
    text += ", required";
  else if (schema.contains("default"))
    text += ", default " + schema.at("default").dump();
  return text;
}

void print_parameters(std::ostream& out, const Json& schema, const std::string& prefix) {
  const Json required = schema.value("required", Json::array());
  const Json properties = schema.value("properties", Json::object());
  for (const auto& [name, property] : properties.items()) {
    const bool needed = std::find(required.begin(), required.end(), Json(name)) != required.end();
    out << "  " << prefix << name << ": " << constraints_of(property, needed) << "\n";
    if (property.contains("description")) out << "      " << property.at("description").get<std::string>() << "\n";
    if (property.at("type") == "object") print_parameters(out, property, prefix + name + ".");
  }
}

std::string place(const std::string& kind, bool list, bool optional, const std::string& summary) {
  return kind + (list ? " (one or more)" : "") + (optional ? " (optional)" : "") + ": " + summary + "\n";
}

void print_slot(std::ostream& out, const host::SlotInfo& slot, const host::Registry& registry) {
  out << "slot " << slot.name << ": " << place(slot.interface, slot.list, slot.optional, slot.summary);
  std::string fitting;
  for (const std::string& id : registry.component_ids(slot.interface)) fitting += (fitting.empty() ? "" : ", ") + id;
  out << "      " << (fitting.empty() ? "nothing that fits is installed" : fitting) << "\n";
}

Json example_at(const host::ComponentInfo& component, const host::Registry& registry, int depth) {
  Json entry = {{"use", component.id}};
  const Json required = component.parameters_schema.value("required", Json::array());
  const Json least = host::least_parameters(component.parameters_schema);
  for (const Json& name : required) {
    const Json& value = least.at(name.get<std::string>());
    entry[name.get<std::string>()] = value == Json("") ? Json("…") : value;
  }
  for (const host::SlotInfo& slot : component.slots) {
    if (slot.optional) continue;
    const std::vector<std::string> fitting = registry.component_ids(slot.interface);
    const Json one = fitting.empty() || depth >= deepest_example
                         ? Json{{"use", "…"}}
                         : example_at(*registry.find(fitting.front()), registry, depth + 1);
    entry[slot.name] = slot.list ? Json::array({one}) : one;
  }
  return entry;
}

/// JSON as people write an entry: what it is first, a space after each colon and comma.
std::string entry_text(const Json& value) {
  if (!value.is_structured()) return value.dump(-1, ' ', false, Json::error_handler_t::replace);
  std::string first, rest;
  if (value.is_array()) {
    for (const Json& member : value) rest += ", " + entry_text(member);
    return "[" + (rest.empty() ? rest : rest.substr(2)) + "]";
  }
  for (const char* key : {"name", "use", "inputs"})
    if (value.contains(key)) first += std::string(", \"") + key + "\": " + entry_text(value.at(key));
  for (const auto& [key, member] : value.items())
    if (key != "name" && key != "use" && key != "inputs") rest += ", " + Json(key).dump() + ": " + entry_text(member);
  return "{" + (first + rest).substr(first.empty() && rest.empty() ? 0 : 2) + "}";
}

}  // namespace

Json example_entry(const host::ComponentInfo& component, const host::Registry& registry) {
  Json entry = example_at(component, registry, 0);
  if (!component.stage.is_object()) return entry;
  entry["name"] = component.id.substr(component.id.find('.') + 1);
  for (const Json& input : component.stage.at("inputs")) {
    if (input.at("optional").get<bool>()) continue;
    const std::string maker = "<a stage that makes a " + input.at("kind").get<std::string>() + ">";
    entry["inputs"][input.at("name").get<std::string>()] =
        input.at("list").get<bool>() ? Json::array({maker}) : Json(maker);
  }
  return entry;
}

std::string component_description(const host::ComponentInfo& component, const host::Registry& registry) {
  std::ostringstream out;
  out << component.id << " " << component.version << ": " << component.summary << "\n"
      << component.interface << " from " << component.library.string() << "\n";
  const bool stage = component.stage.is_object();
  if (stage)
    for (const Json& input : component.stage.at("inputs"))
      out << "input " << input.at("name").get<std::string>() << ": "
          << place(input.at("kind"), input.at("list"), input.at("optional"), input.at("summary"));
  for (const host::SlotInfo& slot : component.slots) print_slot(out, slot, registry);
  if (stage) out << "produces " << component.stage.at("produces").get<std::string>() << "\n";
  const bool any = !component.parameters_schema.value("properties", Json::object()).empty();
  out << (any ? "parameters:\n" : "no parameters\n");
  print_parameters(out, component.parameters_schema, "");
  out << "in a config:\n  " << entry_text(example_entry(component, registry)) << "\n";
  return out.str();
}

}  // namespace retort::apps
