// Reads keywords: JSON Schema 2020-12 (core 8 to 10, validation 6), and where the older drafts differ.
#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "schema/schema_reader.h"

namespace retort::schema {
namespace {

constexpr int greatest_schema_depth = 200;       // of schemas within schemas
constexpr std::size_t most_schemas = 1U << 20U;  // in a document

std::string below(const std::string& pointer, const std::string& token) {
  return pointer + "/" + pointer_token(token);
}

const OrderedJson* member(const OrderedJson& object, const char* key) {
  const auto found = object.find(key);
  return found == object.end() ? nullptr : &*found;
}

}  // namespace

const Schema* SchemaReader::read(const OrderedJson& json, const std::string& pointer, int depth) {
  if (const auto known = by_pointer_.find(pointer); known != by_pointer_.end()) return known->second;
  if (depth > greatest_schema_depth)
    throw std::invalid_argument(pointer + ": schemas nested deeper than " + std::to_string(greatest_schema_depth));
  if (schemas_.size() >= most_schemas)
    throw std::invalid_argument(pointer + ": more than " + std::to_string(most_schemas) + " schemas");
  Schema& schema = schemas_.emplace_back();
  schema.pointer = pointer;
  by_pointer_[pointer] = &schema;
  if (json.is_boolean())
    schema.never = !json.get<bool>();
  else if (json.is_object())
    read_keywords(json, schema, depth);
  else
    refuse(pointer, "a JSON Schema, an object or a boolean", json);
  return &schema;
}

void SchemaReader::read_keywords(const OrderedJson& json, Schema& schema, int depth) {
  const OrderedJson* reference = member(json, "$ref");
  if (reference != nullptr) {
    if (!reference->is_string()) refuse(below(schema.pointer, "$ref"), "a string", *reference);
    unresolved_.push_back({&schema, reference->get<std::string>()});
    if (dialect_ <= Dialect::draft7) return;  // its siblings are ignored (draft 7, core 8.3)
  }
  refuse_unknown(json, schema);
  read_identity(json, schema);
  read_any(json, schema, depth);
  read_numbers(json, schema);
  read_strings(json, schema);
  read_arrays(json, schema, depth);
  read_objects(json, schema, depth);
  read_dependencies(json, schema, depth);
}

void SchemaReader::refuse_unknown(const OrderedJson& json, const Schema& schema) const {
  for (const char* key : {"$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "unevaluatedItems",
                          "unevaluatedProperties"})
    if (json.contains(key))
      throw std::invalid_argument(below(schema.pointer, key) + ": the keyword " + key + " is not implemented");
  const OrderedJson* items = member(json, "items");
  if (dialect_ == Dialect::draft2020 && items != nullptr && items->is_array())
    refuse(below(schema.pointer, "items"), "a schema (a list is \"prefixItems\" since 2020-12)", *items);
  if (dialect_ >= Dialect::draft2019 && json.contains("dependencies"))
    throw std::invalid_argument(below(schema.pointer, "dependencies") +
                                ": expected \"dependentRequired\" or \"dependentSchemas\" (since 2019-09), found the "
                                "keyword of draft 7; use those or name that draft in \"$schema\"");
}

void SchemaReader::read_identity(const OrderedJson& json, Schema& schema) {
  const char* key = dialect_ == Dialect::draft4 ? "id" : "$id";
  if (const OrderedJson* id = member(json, key); id != nullptr && !schema.pointer.empty()) {
    if (!id->is_string()) refuse(below(schema.pointer, key), "a string", *id);
    const auto& text = id->get_ref<const std::string&>();
    if (dialect_ > Dialect::draft7 || !text.starts_with("#"))
      refuse(below(schema.pointer, key), "no identifier within a document (not implemented)", *id);
    anchors_[text.substr(1)] = &schema;
  }
  if (const OrderedJson* anchor = member(json, "$anchor"); anchor != nullptr && dialect_ >= Dialect::draft2019) {
    if (!anchor->is_string()) refuse(below(schema.pointer, "$anchor"), "a string", *anchor);
    anchors_[anchor->get<std::string>()] = &schema;
  }
  for (const char* definitions : {"$defs", "definitions"}) {
    const OrderedJson* found = member(json, definitions);
    if (found == nullptr) continue;
    const std::string pointer = below(schema.pointer, definitions);
    if (!found->is_object()) refuse(pointer, "an object", *found);
    for (const auto& item : found->items()) read(item.value(), below(pointer, item.key()), 0);
  }
}

unsigned SchemaReader::types_of(const OrderedJson& json, const std::string& pointer) const {
  static const std::map<std::string, unsigned> known = {
      {"null", types::null},     {"boolean", types::boolean}, {"integer", types::integer}, {"number", types::number},
      {"string", types::string}, {"array", types::array},     {"object", types::object}};
  unsigned set = 0;
  const OrderedJson list = json.is_array() ? json : OrderedJson::array({json});
  for (const OrderedJson& name : list) {
    const auto found = name.is_string() ? known.find(name.get<std::string>()) : known.end();
    if (found == known.end())
      refuse(pointer, "null, boolean, integer, number, string, array, object, or a list of these", json);
    set |= found->second;
  }
  if (set == 0) refuse(pointer, "at least one type", json);
  return set;
}

void SchemaReader::read_any(const OrderedJson& json, Schema& schema, int depth) {
  if (const OrderedJson* type = member(json, "type"))
    schema.allowed_types = types_of(*type, below(schema.pointer, "type"));
  if (const OrderedJson* values = member(json, "enum")) {
    if (!values->is_array()) refuse(below(schema.pointer, "enum"), "an array", *values);
    schema.values.emplace();
    for (const OrderedJson& value : *values) schema.values->push_back(Json(value));
  }
  if (const OrderedJson* constant = member(json, "const")) schema.constant = Json(*constant);
  schema.all_of = parts(json, schema, "allOf", depth);
  schema.any_of = parts(json, schema, "anyOf", depth);
  schema.one_of = parts(json, schema, "oneOf", depth);
  schema.negated = part(json, schema, "not", depth);
  schema.condition = part(json, schema, "if", depth);
  schema.then_schema = part(json, schema, "then", depth);
  schema.else_schema = part(json, schema, "else", depth);
}

const Schema* SchemaReader::part(const OrderedJson& json, const Schema& schema, const char* key, int depth) {
  const OrderedJson* found = member(json, key);
  return found == nullptr ? nullptr : read(*found, below(schema.pointer, key), depth + 1);
}

std::vector<const Schema*> SchemaReader::parts(const OrderedJson& json, const Schema& schema, const char* key,
                                               int depth) {
  std::vector<const Schema*> list;
  const OrderedJson* found = member(json, key);
  if (found == nullptr) return list;
  const std::string pointer = below(schema.pointer, key);
  if (!found->is_array() || found->empty()) refuse(pointer, "an array of at least one schema", *found);
  for (std::size_t i = 0; i < found->size(); ++i)
    list.push_back(read((*found)[i], pointer + "/" + std::to_string(i), depth + 1));
  return list;
}

std::optional<Json> SchemaReader::number(const OrderedJson& json, const Schema& schema, const char* key) const {
  const OrderedJson* found = member(json, key);
  if (found == nullptr) return std::nullopt;
  if (!found->is_number()) refuse(below(schema.pointer, key), "a number", *found);
  return Json(*found);
}

std::int64_t SchemaReader::count(const OrderedJson& json, const Schema& schema, const char* key,
                                 std::int64_t otherwise) const {
  constexpr double most = 1e15;
  const std::optional<Json> found = number(json, schema, key);
  if (!found) return otherwise;
  const double value = found->get<double>();
  if (value < 0 || std::trunc(value) != value)
    refuse(below(schema.pointer, key), "an integer of at least 0", json[key]);
  return static_cast<std::int64_t>(std::min(value, most));
}

void SchemaReader::read_numbers(const OrderedJson& json, Schema& schema) {
  schema.minimum = number(json, schema, "minimum");
  schema.maximum = number(json, schema, "maximum");
  schema.multiple_of = number(json, schema, "multipleOf");
  if (schema.multiple_of && !(schema.multiple_of->get<double>() > 0))
    refuse(below(schema.pointer, "multipleOf"), "a number above 0", json["multipleOf"]);
  if (dialect_ != Dialect::draft4) {
    schema.exclusive_minimum = number(json, schema, "exclusiveMinimum");
    schema.exclusive_maximum = number(json, schema, "exclusiveMaximum");
    return;
  }
  for (const bool upper : {false, true}) {  // draft 4: whether the bound beside it is exclusive
    const char* key = upper ? "exclusiveMaximum" : "exclusiveMinimum";
    auto& bound = upper ? schema.maximum : schema.minimum;
    auto& exclusive = upper ? schema.exclusive_maximum : schema.exclusive_minimum;
    const OrderedJson* found = member(json, key);
    if (found == nullptr) continue;
    if (!found->is_boolean()) refuse(below(schema.pointer, key), "a boolean (draft 4)", *found);
    if (found->get<bool>()) exclusive.swap(bound);
  }
}

std::shared_ptr<const Pattern> SchemaReader::pattern(const std::string& text, const std::string& pointer) const {
  try {
    return std::make_shared<const Pattern>(text);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(pointer + ": " + error.what());
  }
}

void SchemaReader::read_strings(const OrderedJson& json, Schema& schema) {
  schema.length = {count(json, schema, "minLength", 0), count(json, schema, "maxLength", unlimited)};
  if (const OrderedJson* text = member(json, "pattern")) {
    const std::string pointer = below(schema.pointer, "pattern");
    if (!text->is_string()) refuse(pointer, "a string", *text);
    schema.pattern = pattern(text->get<std::string>(), pointer);
  }
  if (const OrderedJson* format = member(json, "format")) {
    if (!format->is_string()) refuse(below(schema.pointer, "format"), "a string", *format);
    schema.format = format->get<std::string>();
  }
}

void SchemaReader::read_arrays(const OrderedJson& json, Schema& schema, int depth) {
  const OrderedJson* items = member(json, "items");
  if (items != nullptr && items->is_array()) {
    if (!items->empty()) schema.prefix_items = parts(json, schema, "items", depth);
    schema.items = part(json, schema, "additionalItems", depth);
  } else {
    schema.items = part(json, schema, "items", depth);
    if (json.contains("prefixItems")) schema.prefix_items = parts(json, schema, "prefixItems", depth);
  }
  schema.item_count = {count(json, schema, "minItems", 0), count(json, schema, "maxItems", unlimited)};
  if (const OrderedJson* unique = member(json, "uniqueItems")) {
    if (!unique->is_boolean()) refuse(below(schema.pointer, "uniqueItems"), "a boolean", *unique);
    schema.unique_items = unique->get<bool>();
  }
  schema.contains = part(json, schema, "contains", depth);
  if (dialect_ >= Dialect::draft2019)
    schema.contained = {count(json, schema, "minContains", 1), count(json, schema, "maxContains", unlimited)};
}

std::vector<std::string> SchemaReader::names(const OrderedJson& json, const std::string& pointer) const {
  std::vector<std::string> list;
  if (!json.is_array()) refuse(pointer, "an array of strings", json);
  for (const OrderedJson& name : json) {
    if (!name.is_string()) refuse(pointer, "an array of strings", json);
    const auto& text = name.get_ref<const std::string&>();
    if (std::find(list.begin(), list.end(), text) == list.end()) list.push_back(text);
  }
  return list;
}

void SchemaReader::read_objects(const OrderedJson& json, Schema& schema, int depth) {
  for (const char* key : {"properties", "patternProperties"}) {
    const OrderedJson* found = member(json, key);
    if (found == nullptr) continue;
    const std::string pointer = below(schema.pointer, key);
    if (!found->is_object()) refuse(pointer, "an object", *found);
    for (const auto& item : found->items()) {
      const std::string place = below(pointer, item.key());
      const Schema* value = read(item.value(), place, depth + 1);
      if (std::string(key) == "properties")
        schema.properties.emplace_back(item.key(), value);
      else
        schema.pattern_properties.emplace_back(pattern(item.key(), place), value);
    }
  }
  if (const OrderedJson* required = member(json, "required"); required != nullptr && !required->is_boolean())
    schema.required = names(*required, below(schema.pointer, "required"));
  else if (required != nullptr)
    refuse(below(schema.pointer, "required"), "an array of names (draft 4 on)", *required);
  schema.additional_properties = part(json, schema, "additionalProperties", depth);
  schema.property_names = part(json, schema, "propertyNames", depth);
  schema.property_count = {count(json, schema, "minProperties", 0), count(json, schema, "maxProperties", unlimited)};
}

void SchemaReader::read_dependencies(const OrderedJson& json, Schema& schema, int depth) {
  for (const char* key : {"dependentRequired", "dependentSchemas", "dependencies"}) {
    const OrderedJson* found = member(json, key);
    if (found == nullptr) continue;
    const std::string pointer = below(schema.pointer, key);
    if (!found->is_object()) refuse(pointer, "an object", *found);
    for (const auto& item : found->items()) {
      const std::string place = below(pointer, item.key());
      if (item.value().is_array() && std::string(key) != "dependentSchemas")
        schema.dependent_required.emplace_back(item.key(), names(item.value(), place));
      else
        schema.dependent_schemas.emplace_back(item.key(), read(item.value(), place, depth + 1));
    }
  }
}

}  // namespace retort::schema
