// Reads and writes compressed-tensors' description of int8 and int4; fields as in its quantization/quant_args.py.
#include "model/quantization_config.h"

#include <algorithm>

#include "model/model_folder.h"

namespace retort::model {
namespace {

using Json = nlohmann::json;

constexpr char mixed_format[] = "mixed-precision";

/// Expects one of `values`; the first is the usual one.
void require(const host::JsonCursor& holder, const char* key, const std::vector<Json>& values) {
  const host::JsonCursor found = holder.at(key);
  if (std::find(values.begin(), values.end(), found.json()) != values.end()) return;
  std::string expected;
  for (const Json& value : values) expected += (expected.empty() ? "" : " or ") + value.dump();
  found.refuse(expected +
               " (symmetric int8 per channel with float or dynamic activations and int4 in groups "
               "are implemented)");
}

void require_if_there(const host::JsonCursor& holder, const char* key, const std::vector<Json>& values) {
  if (holder.has(key)) require(holder, key, values);
}

/// Null, absent, {} and [] say nothing.
void require_empty(const host::JsonCursor& holder, const char* key) {
  if (holder.has(key) && !(holder.at(key).json().is_structured() && holder.at(key).size() == 0))
    holder.at(key).refuse("null (not implemented)");
}

void require_null(const host::JsonCursor& holder, const char* key) {
  if (holder.has(key)) holder.at(key).refuse("null (not implemented)");
}

Json arguments(const WeightScheme& scheme, const char* strategy, bool dynamic) {
  return {{"num_bits", scheme.bits},
          {"type", "int"},
          {"symmetric", scheme.symmetric},
          {"strategy", strategy},
          {"dynamic", dynamic},
          {"group_size", scheme.group_size > 0 ? Json(scheme.group_size) : Json(nullptr)},
          {"block_structure", nullptr},
          {"actorder", nullptr},
          {"observer", dynamic ? Json(nullptr) : Json("minmax")},
          {"observer_kwargs", Json::object()}};
}

const char* format_of(const WeightScheme& scheme) {
  return scheme.bits == 4 ? "pack-quantized" : "int-quantized";
}

Json group_of(const QuantizedModules& modules) {
  return {{"targets", modules.targets},
          {"weights", arguments(modules.scheme, modules.scheme.group_size > 0 ? "group" : "channel", false)},
          {"input_activations", modules.activation_bits == 8 ? arguments({8, 0}, "token", true) : Json(nullptr)},
          {"output_activations", nullptr},
          {"format", format_of(modules.scheme)}};
}

WeightScheme read_weights(const host::JsonCursor& weights) {
  require(weights, "num_bits", {8, 4});
  require(weights, "type", {"int"});
  require_if_there(weights, "dynamic", {false});
  // "group" reorders columns and stores weight_g_idx; the others only order the quantiser's work.
  require_if_there(weights, "actorder", {false, "weight", "static"});
  WeightScheme scheme{weights.at("num_bits").json().get<int>(), 0};
  // Codes of 8 bits with zero points would need sums of activations beside every product of bytes.
  require(weights, "symmetric", scheme.bits == 4 ? std::vector<Json>{true, false} : std::vector<Json>{true});
  scheme.symmetric = weights.at("symmetric").json().get<bool>();
  require(weights, "strategy", {scheme.bits == 4 ? "group" : "channel"});
  if (scheme.bits == 4) {
    require(weights, "group_size", {128, 64, 32});
    scheme.group_size = weights.at("group_size").json().get<std::int64_t>();
  }
  return scheme;
}

WeightScheme read_group(const host::JsonCursor& group, const host::JsonCursor& config) {
  const WeightScheme scheme = read_weights(group.at("weights").object());
  // "naive-quantized" is the older name of "int-quantized".
  std::vector<Json> formats = {format_of(scheme)};
  if (scheme.bits == 8) formats.emplace_back("naive-quantized");
  require_if_there(group, "format", formats);
  formats.emplace_back(mixed_format);
  require(config, "format", formats);
  if (scheme.bits == 4) {
    require_null(group, "input_activations");
  } else if (group.has("input_activations")) {
    const host::JsonCursor activations = group.at("input_activations").object();
    require(activations, "num_bits", {8});
    require(activations, "type", {"int"});
    require(activations, "symmetric", {true});
    require(activations, "strategy", {"token"});
    require(activations, "dynamic", {true});
  }
  require_null(group, "output_activations");
  return scheme;
}

}  // namespace

Json quantization_config(const std::vector<QuantizedModules>& groups, const std::vector<std::string>& ignore) {
  Json described = Json::object();
  std::string format;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    described["group_" + std::to_string(i)] = group_of(groups[i]);
    const std::string own = format_of(groups[i].scheme);
    format = format.empty() || format == own ? own : mixed_format;
  }
  return {{"quant_method", "compressed-tensors"},
          {"format", format},
          {"quantization_status", "compressed"},
          {"global_compression_ratio", nullptr},
          {"kv_cache_scheme", nullptr},
          {"ignore", ignore},
          {"config_groups", described}};
}

Json int8_quantization_config(const std::vector<std::string>& ignore, EmbeddingStorage embedding) {
  std::vector<QuantizedModules> groups = {{{"Linear"}, {8, 0}, 8}};
  if (embedding == EmbeddingStorage::int8) groups.push_back({{"Embedding"}, {8, 0}, 0});
  return quantization_config(groups, ignore);
}

std::vector<WeightScheme> read_quantization_config(const host::JsonCursor& config) {
  config.object();
  require(config, "quant_method", {"compressed-tensors"});
  require(config, "format", {"int-quantized", "naive-quantized", "pack-quantized", mixed_format});
  require_if_there(config, "quantization_status", {"compressed"});
  require_null(config, "kv_cache_scheme");
  for (const char* key : {"transform_config", "sparsity_config"}) require_empty(config, key);
  const host::JsonCursor groups = config.at("config_groups").object();
  if (groups.size() == 0) groups.refuse("at least one group");
  std::vector<WeightScheme> schemes;
  for (const auto& item : groups.json().items()) {
    const WeightScheme scheme = read_group(groups.at(item.key()).object(), config);
    if (std::find(schemes.begin(), schemes.end(), scheme) == schemes.end()) schemes.push_back(scheme);
  }
  return schemes;
}

int read_activation_bits(const host::JsonCursor& config) {
  bool found = false, all = true;
  const host::JsonCursor groups = config.at("config_groups").object();
  for (const auto& item : groups.json().items()) {
    const host::JsonCursor group = groups.at(item.key());
    // A look-up has no activations.
    if (group.at("weights").at("num_bits").json() != 8 || group.at("targets").json() == Json::array({"Embedding"}))
      continue;
    found = true;
    all = all && group.has("input_activations");
  }
  return found && all ? 8 : 0;
}

std::string name_of(const WeightScheme& scheme) {
  return (scheme.symmetric ? "int" : "asymmetric int") + std::to_string(scheme.bits) +
         (scheme.group_size > 0 ? " in groups of " + std::to_string(scheme.group_size) : "");
}

}  // namespace retort::model
