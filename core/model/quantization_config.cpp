// Reads and writes compressed-tensors' description of int8 (github.com/neuralmagic/compressed-tensors).
#include "model/quantization_config.h"

#include "model/model_folder.h"

namespace retort::model {
namespace {

using Json = nlohmann::json;

void require(const JsonCursor& holder, const char* key, const Json& value) {
  if (holder.at(key).json() != value)
    holder.at(key).refuse(value.dump() + " (only int8 per channel with dynamic per-token activations is implemented)");
}

void require_absent(const JsonCursor& holder, const char* key) {
  if (holder.has(key)) holder.at(key).refuse("null (not implemented)");
}

Json scheme(const char* strategy, bool dynamic) {
  return {{"num_bits", 8},
          {"type", "int"},
          {"symmetric", true},
          {"strategy", strategy},
          {"dynamic", dynamic},
          {"group_size", nullptr},
          {"block_structure", nullptr},
          {"actorder", nullptr},
          {"observer", dynamic ? Json(nullptr) : Json("minmax")},
          {"observer_kwargs", Json::object()}};
}

void check_group(const JsonCursor& group) {
  for (const char* key : {"weights", "input_activations"}) {
    const bool weights = std::string(key) == "weights";
    if (!weights && group.at("targets").json() == Json::array({"Embedding"})) continue;  // a look-up has no activations
    const JsonCursor part = group.at(key).object();
    require(part, "num_bits", 8);
    require(part, "type", "int");
    require(part, "symmetric", true);
    require(part, "strategy", weights ? "channel" : "token");
    if (weights && part.has("dynamic")) require(part, "dynamic", false);
    if (!weights) require(part, "dynamic", true);
  }
  require_absent(group, "output_activations");
}

}  // namespace

Json int8_quantization_config(const std::vector<std::string>& ignore, EmbeddingStorage embedding) {
  const auto group = [](const char* target, const Json& activations) -> Json {
    return {{"targets", Json::array({target})},
            {"weights", scheme("channel", false)},
            {"input_activations", activations},
            {"output_activations", nullptr}};
  };
  Json groups = {{"group_0", group("Linear", scheme("token", true))}};
  if (embedding == EmbeddingStorage::int8) groups["group_1"] = group("Embedding", nullptr);
  return {{"quant_method", "compressed-tensors"},
          {"format", "int-quantized"},
          {"quantization_status", "compressed"},
          {"global_compression_ratio", nullptr},
          {"kv_cache_scheme", nullptr},
          {"ignore", ignore},
          {"config_groups", groups}};
}

void check_int8_quantization_config(const JsonCursor& config) {
  config.object();
  require(config, "quant_method", "compressed-tensors");
  // "naive-quantized" is the older name of the same layout.
  if (config.at("format").json() != "naive-quantized") require(config, "format", "int-quantized");
  if (config.has("quantization_status")) require(config, "quantization_status", "compressed");
  require_absent(config, "kv_cache_scheme");
  const JsonCursor groups = config.at("config_groups").object();
  if (groups.size() == 0) groups.refuse("at least one group");
  for (const auto& item : groups.json().items()) check_group(groups.at(item.key()));
}

}  // namespace retort::model
