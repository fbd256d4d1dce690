// Opens, checks and writes Hugging Face model folders.
#include "model/model_folder.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "host/json.h"
#include "model/json_cursor.h"
#include "model/quantization_config.h"

namespace retort::model {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using TensorIndex = std::map<std::string, const TensorView*>;
using Shape = std::vector<std::int64_t>;

constexpr char weight_suffix[] = ".weight";

std::string text_of(const Shape& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i > 0 ? "," : "") + std::to_string(shape[i]);
  return text + "]";
}

bool is_float(DataType type) {
  return type == DataType::f32 || type == DataType::f16 || type == DataType::bf16;
}

/// Only matrices may be stored as int8 codes; norms stay in float.
bool is_matrix(const std::string& tensor) {
  return tensor.ends_with("_proj.weight") || tensor == "lm_head.weight" || tensor == "model.embed_tokens.weight";
}

std::string scale_name(const std::string& tensor) {
  return tensor + "_scale";
}

const TensorView* find(const TensorIndex& index, const std::string& name) {
  const auto found = index.find(name);
  return found == index.end() ? nullptr : found->second;
}

/// Every tensor that the config needs, with its shape, in a type that is understood; `origin` begins each message.
void check_tensors(const ModelConfig& config, const TensorIndex& index, bool quantized, const std::string& origin) {
  for (const auto& [name, shape] : tensor_shapes(config)) {
    const auto refuse = [&, tensor = name](const std::string& expected, const std::string& found) {
      throw std::invalid_argument(origin + ": tensor '" + tensor + "': expected " + expected + ", found " + found);
    };
    const TensorView* tensor = find(index, name);
    if (tensor == nullptr) refuse(text_of(shape) + ", as config.json asks", "none");
    if (tensor->shape != shape) refuse(text_of(shape) + ", as config.json asks", text_of(tensor->shape));
    if (is_float(tensor->type)) continue;
    if (tensor->type != DataType::i8 || !is_matrix(name)) refuse("F32, F16 or BF16", name_of(tensor->type));
    if (!quantized) refuse("F32, F16 or BF16, because config.json has no quantization_config", "I8");
    const TensorView* scale = find(index, scale_name(name));
    if (scale == nullptr) refuse("'" + scale_name(name) + "' beside the I8 codes", "none");
    if (!is_float(scale->type) || (scale->shape != Shape{shape[0], 1} && scale->shape != Shape{shape[0]}))
      refuse("a float scale [" + std::to_string(shape[0]) + ",1]", name_of(scale->type) + text_of(scale->shape));
  }
}

/// The weight files of a folder: model.safetensors, or those that model.safetensors.index.json names.
std::vector<fs::path> weight_files(const fs::path& folder) {
  if (fs::exists(folder / "model.safetensors")) return {folder / "model.safetensors"};
  const fs::path index_path = folder / "model.safetensors.index.json";
  if (!fs::exists(index_path))
    throw std::runtime_error("'" + folder.string() +
                             "': expected model.safetensors or model.safetensors.index.json, found neither");
  const Json index = host::read_json(index_path);
  const JsonCursor map = JsonCursor(index, index_path.string()).at("weight_map").object();
  std::vector<fs::path> files;
  for (const auto& item : map.json().items()) {
    const std::string name = map.at(item.key()).string();
    // A name with a path in it could reach out of the folder.
    if (name.empty() || name == ".." || fs::path(name).filename() != name)
      map.at(item.key()).refuse("the name of a file in this folder");
    files.push_back(folder / name);
  }
  std::sort(files.begin(), files.end());
  files.erase(std::unique(files.begin(), files.end()), files.end());
  return files;
}

/// What save_model may be given besides tensor_shapes: scales of quantised linear layers.
void refuse_unknown_tensors(const ModelConfig& config, const TensorIndex& index, const std::string& origin) {
  TensorIndex unknown = index;
  for (const auto& [name, shape] : tensor_shapes(config)) {
    const TensorView* tensor = find(index, name);
    unknown.erase(name);
    if (tensor != nullptr && tensor->type == DataType::i8) unknown.erase(scale_name(name));
  }
  if (!unknown.empty())
    throw std::invalid_argument(origin + ": tensor '" + unknown.begin()->first +
                                "': expected only tensors of a model of this shape (see tensor_shapes)");
}

const char* transformers_dtype(const std::vector<TensorView>& tensors) {
  for (const TensorView& tensor : tensors)
    if (tensor.name == "model.embed_tokens.weight")
      return tensor.type == DataType::bf16 ? "bfloat16" : tensor.type == DataType::f16 ? "float16" : "float32";
  return "float32";
}

}  // namespace

struct ModelFolder::State {
  fs::path path;
  Json config_json;
  Json retort = Json::object();
  ModelConfig config;
  bool quantized = false;
  std::vector<SafetensorsFile> files;
  TensorIndex tensors;
};

ModelFolder::ModelFolder(const fs::path& folder) : state_(std::make_unique<State>()) {
  state_->path = folder;
  const std::string config_path = (folder / "config.json").string();
  state_->config_json = host::read_json(config_path);
  state_->config = model_config_from_json(state_->config_json, config_path);
  const JsonCursor root(state_->config_json, config_path);
  state_->quantized = root.has("quantization_config");
  if (state_->quantized) check_int8_quantization_config(root.at("quantization_config"));
  if (fs::exists(folder / "retort.json")) {
    state_->retort = host::read_json(folder / "retort.json");
    JsonCursor(state_->retort, (folder / "retort.json").string()).object();
  }
  for (const fs::path& file : weight_files(folder)) {
    state_->files.emplace_back(file);
    for (const TensorView& tensor : state_->files.back().tensors())
      if (!state_->tensors.emplace(tensor.name, &tensor).second)
        throw std::runtime_error("'" + file.string() + "': tensor '" + tensor.name +
                                 "': expected in one file, found in two");
  }
  check_tensors(state_->config, state_->tensors, state_->quantized, "'" + folder.string() + "'");
}

ModelFolder::~ModelFolder() = default;
ModelFolder::ModelFolder(ModelFolder&&) noexcept = default;

const fs::path& ModelFolder::path() const {
  return state_->path;
}
const ModelConfig& ModelFolder::config() const {
  return state_->config;
}
const Json& ModelFolder::config_json() const {
  return state_->config_json;
}
bool ModelFolder::quantized() const {
  return state_->quantized;
}
const Json& ModelFolder::retort() const {
  return state_->retort;
}

const TensorView& ModelFolder::tensor(const std::string& name) const {
  const TensorView* found = find(state_->tensors, name);
  if (found == nullptr)
    throw std::invalid_argument("'" + state_->path.string() + "': no tensor '" + name + "' in the weight files");
  return *found;
}

LinearWeight ModelFolder::linear(const std::string& module) const {
  const std::string name = module + weight_suffix;
  LinearWeight linear;
  linear.weight = &tensor(name);
  if (linear.weight->type == DataType::i8) linear.scale = &tensor(scale_name(name));
  return linear;
}

LinearWeight ModelFolder::head() const {
  return linear(state_->config.tie_word_embeddings ? "model.embed_tokens" : "lm_head");
}

std::int64_t ModelFolder::weight_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : state_->tensors) bytes += static_cast<std::int64_t>(tensor->bytes());
  return bytes;
}

std::vector<std::pair<std::string, Shape>> tensor_shapes(const ModelConfig& config) {
  const std::int64_t D = config.hidden_size;
  const std::int64_t F = config.intermediate_size;
  const std::int64_t queries = config.heads * config.head_dim;
  const std::int64_t keys = config.kv_heads * config.head_dim;
  std::vector<std::pair<std::string, Shape>> shapes = {{"model.embed_tokens.weight", {config.vocabulary_size, D}}};
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    shapes.insert(shapes.end(), {{prefix + "input_layernorm.weight", {D}},
                                 {prefix + "self_attn.q_proj.weight", {queries, D}},
                                 {prefix + "self_attn.k_proj.weight", {keys, D}},
                                 {prefix + "self_attn.v_proj.weight", {keys, D}},
                                 {prefix + "self_attn.o_proj.weight", {D, queries}},
                                 {prefix + "post_attention_layernorm.weight", {D}},
                                 {prefix + "mlp.gate_proj.weight", {F, D}},
                                 {prefix + "mlp.up_proj.weight", {F, D}},
                                 {prefix + "mlp.down_proj.weight", {D, F}}});
  }
  shapes.push_back({"model.norm.weight", {D}});
  if (!config.tie_word_embeddings) shapes.push_back({"lm_head.weight", {config.vocabulary_size, D}});
  for (std::int64_t layer = 0; layer < config.layers; ++layer) {
    const std::string attention = "model.layers." + std::to_string(layer) + ".self_attn.";
    if (config.input_bias)
      shapes.insert(shapes.end(), {{attention + "q_proj.bias", {queries}},
                                   {attention + "k_proj.bias", {keys}},
                                   {attention + "v_proj.bias", {keys}}});
    if (config.output_bias) shapes.push_back({attention + "o_proj.bias", {D}});
    if (config.query_key_norm)
      shapes.insert(shapes.end(), {{attention + "q_norm.weight", {config.head_dim}},
                                   {attention + "k_norm.weight", {config.head_dim}}});
  }
  return shapes;
}

void save_model(const fs::path& folder, const ModelConfig& config, std::vector<TensorView> tensors,
                const Json& quantization_config) {
  const std::string origin = "cannot save a model in '" + folder.string() + "'";
  TensorIndex index;
  for (const TensorView& tensor : tensors) index[tensor.name] = &tensor;
  Json json = to_json(config);
  model_config_from_json(json, origin);
  if (!quantization_config.is_null()) check_int8_quantization_config(JsonCursor(quantization_config, origin));
  check_tensors(config, index, !quantization_config.is_null(), origin);
  refuse_unknown_tensors(config, index, origin);
  json["torch_dtype"] = transformers_dtype(tensors);
  if (!quantization_config.is_null()) json["quantization_config"] = quantization_config;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw std::runtime_error(origin + ": " + error.message());
  // config.json last: a folder without it is not taken for a model.
  write_safetensors(folder / "model.safetensors", std::move(tensors), {{"format", "pt"}});
  host::write_json(folder / "config.json", json);
}

}  // namespace retort::model
