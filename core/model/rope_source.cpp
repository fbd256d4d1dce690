#include "model/rope_source.h"

#include <set>

namespace retort::model {
namespace {

using Json = nlohmann::json;

constexpr char theta_key[] = "rope_theta";
constexpr char partial_key[] = "partial_rotary_factor";
constexpr char original_key[] = "original_max_position_embeddings";

bool is_given(const host::JsonCursor& root, const char* key) {
  return root.has(key) && root.at(key).object().size() > 0;
}

Json without_nulls(const Json& json) {
  Json result = Json::object();
  for (const auto& item : json.items())
    if (!item.value().is_null()) result[item.key()] = item.value();
  return result;
}

/// Gemma's layers that slide turn on their own (local_rope_source).
bool turns_by_layer_type(const host::JsonCursor& root) {
  return root.has("architectures") ? root.at("architectures").at(std::size_t{0}).string().starts_with("Gemma3")
                                   : root.has("model_type") && root.at("model_type").string().starts_with("gemma3");
}

/// The layer types of the model that must turn alike.
std::set<std::string> used_types(const host::JsonCursor& root) {
  if (!root.has("layer_types") || turns_by_layer_type(root)) return {"full_attention"};
  std::set<std::string> types;
  for (std::size_t i = 0; i < root.at("layer_types").array().size(); ++i)
    types.insert(root.at("layer_types").at(i).string());
  return types;
}

/// The values that hold for every layer type of the model.
RopeSource flat(const host::JsonCursor& root, const char* key) {
  const host::JsonCursor rope = root.at(key);
  RopeSource source{without_nulls(rope.json()), rope.pointer()};
  bool nested = false;
  for (const auto& item : source.values.items()) nested = nested || item.value().is_object();
  if (!nested) return source;
  const Json by_type = source.values;
  std::string first;
  for (const std::string& type : used_types(root)) {
    if (!by_type.contains(type)) rope.refuse("values for the layer type \"" + type + "\"");
    const Json values = without_nulls(rope.at(type).object().json());
    if (!first.empty() && values != source.values)
      rope.at(type).refuse("the same as of \"" + first +
                           "\" (rotary embeddings that differ by layer type are not implemented)");
    if (first.empty()) source = {values, rope.at(type).pointer()};
    if (first.empty()) first = type;
  }
  for (const auto& item : by_type.items())
    if (!item.value().is_object()) rope.at(item.key()).refuse("no value beside those of the layer types");
  return source;
}

const char* key_of(const host::JsonCursor& root) {
  return is_given(root, "rope_scaling")      ? "rope_scaling"
         : is_given(root, "rope_parameters") ? "rope_parameters"
                                             : nullptr;
}

bool has_original_length(const Json& values) {
  const Json none;
  const Json& type = values.contains("rope_type") ? values["rope_type"]
                     : values.contains("type")    ? values["type"]
                                                  : none;
  return type == "llama3" || type == "yarn";
}

}  // namespace

RopeSource rope_source(const host::JsonCursor& root, std::int64_t max_positions) {
  const char* key = key_of(root);
  RopeSource source = key == nullptr ? RopeSource() : flat(root, key);
  for (const char* name : {theta_key, partial_key})
    if (root.has(name) && !source.values.contains(name)) source.values[name] = root.at(name).json();
  if (has_original_length(source.values)) {
    if (root.has(original_key))
      source.values[original_key] = root.at(original_key).json();
    else if (!source.values.contains(original_key))
      source.values[original_key] = max_positions;
  }
  return source;
}

RopeSource local_rope_source(const host::JsonCursor& root) {
  constexpr char type[] = "sliding_attention";
  for (const char* key : {"rope_parameters", "rope_scaling"})
    if (is_given(root, key) && root.at(key).has(type)) {
      const host::JsonCursor rope = root.at(key).at(type).object();
      return {without_nulls(rope.json()), rope.pointer()};
    }
  RopeSource source;
  if (root.has("rope_local_base_freq")) source.values[theta_key] = root.at("rope_local_base_freq").json();
  return source;
}

std::vector<std::string> rope_contradictions(const host::JsonCursor& root) {
  std::vector<std::string> found;
  const char* key = key_of(root);
  if (key == nullptr) return found;
  if (key == std::string("rope_scaling") && is_given(root, "rope_parameters") &&
      flat(root, key).values != flat(root, "rope_parameters").values)
    found.push_back("config.json: rope_scaling and rope_parameters differ: rope_scaling is used, as Transformers does");
  const Json values = flat(root, key).values;
  const auto compare = [&](const char* name, bool top_wins) {
    if (!root.has(name) || !values.contains(name) || root.at(name).json() == values[name]) return;
    const std::string top = root.at(name).json().dump(), inside = values[name].dump();
    found.push_back(std::string("config.json: ") + name + " is " + top + " at the top and " + inside + " in " + key +
                    ": " + (top_wins ? top : inside) + " is used, as Transformers does");
  };
  compare(theta_key, false);
  compare(partial_key, false);
  if (has_original_length(values)) compare(original_key, true);
  return found;
}

}  // namespace retort::model
