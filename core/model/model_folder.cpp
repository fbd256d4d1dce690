// Opens, checks and writes Hugging Face model folders.
#include "model/model_folder.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "host/base/json.h"
#include "host/base/json_cursor.h"
#include "model/file_kind.h"
#include "model/model_tensors.h"
#include "model/quantization_config.h"
#include "model/rope_source.h"
#include "model/unread_tensors.h"

namespace retort::model {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr char weights_name[] = "model.safetensors";
constexpr char index_name[] = "model.safetensors.index.json";

/// The files that the index names.
std::vector<fs::path> indexed_files(const fs::path& folder) {
  const fs::path index_path = folder / index_name;
  const Json index = host::read_json(index_path);
  const host::JsonCursor map = host::JsonCursor(index, index_path.string()).at("weight_map").object();
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

/// The weight files of a folder: model.safetensors, or those that model.safetensors.index.json names.
std::vector<fs::path> find_weight_files(const fs::path& folder, std::vector<std::string>& notices) {
  const fs::path whole = folder / weights_name;
  const bool indexed = fs::exists(folder / index_name);
  if (!fs::exists(whole) && !indexed)
    throw std::runtime_error("'" + folder.string() + "': expected " + weights_name + " or " + index_name +
                             ", found neither");
  if (!fs::exists(whole)) return indexed_files(folder);
  if (indexed && indexed_files(folder) != std::vector<fs::path>{whole})
    notices.push_back(std::string("the folder holds two sets of weights: ") + weights_name +
                      " is read, as Transformers does, and the files of " + index_name +
                      " are not; remove the one that is not meant");
  return {whole};
}

/// A file where a folder is expected says what it is.
void refuse_file(const fs::path& path) {
  if (!fs::is_regular_file(path)) return;  // what is absent is named with the file that is looked for
  const auto kind = kind_of_file(path);
  throw std::invalid_argument("'" + path.string() + "': expected a model folder, found " + kind.value_or("a file"));
}

const char* transformers_dtype(const std::vector<StoredTensor>& tensors) {
  for (const StoredTensor& tensor : tensors)
    if (tensor.name == "model.embed_tokens.weight")
      return tensor.type == DataType::bf16 ? "bfloat16" : tensor.type == DataType::f16 ? "float16" : "float32";
  return "float32";
}

/// transformers makes a tied int8 head of the embedding's codes and a scale of its own, which it looks for in the file.
void add_scale_of_tied_head(const ModelConfig& config, std::vector<StoredTensor>& tensors) {
  if (!config.tie_word_embeddings) return;
  const auto named = [&](const std::string& name) {
    return std::find_if(tensors.begin(), tensors.end(), [&](const StoredTensor& view) { return view.name == name; });
  };
  const auto codes = named("model.embed_tokens.weight"), scale = named("model.embed_tokens.weight_scale");
  if (codes == tensors.end() || codes->type != DataType::i8 || scale == tensors.end()) return;
  StoredTensor copy = *scale;
  copy.name = "lm_head.weight_scale";
  tensors.push_back(std::move(copy));
}

}  // namespace

struct ModelFolder::State {
  fs::path path;
  Json config_json;
  Json retort = Json::object();
  ModelConfig config;
  std::vector<WeightScheme> schemes;
  int activation_bits = 0;
  std::vector<SafetensorsFile> files;
  std::vector<std::string> file_names;  ///< theirs
  std::vector<StoredTensor> borrowed;
  TensorIndex tensors;
  std::vector<std::string> notices;

  void read_schemes(const host::JsonCursor& quantization) {
    schemes = read_quantization_config(quantization);
    activation_bits = read_activation_bits(quantization);
  }
};

ModelFolder::ModelFolder(const fs::path& folder) : state_(std::make_unique<State>()) {
  refuse_file(folder);
  state_->path = folder;
  const std::string config_path = (folder / "config.json").string();
  state_->config_json = host::read_json(config_path);
  state_->config = model_config_from_json(state_->config_json, config_path);
  const host::JsonCursor root(state_->config_json, config_path);
  state_->notices = rope_contradictions(root);
  if (root.has("quantization_config")) state_->read_schemes(root.at("quantization_config"));
  if (fs::exists(folder / "retort.json")) {
    state_->retort = host::read_json(folder / "retort.json");
    host::JsonCursor(state_->retort, (folder / "retort.json").string()).object();
  }
  for (const fs::path& file : find_weight_files(folder, state_->notices)) {
    state_->files.emplace_back(file);
    state_->file_names.push_back(file.filename().string());
    for (const StoredTensor& tensor : state_->files.back().tensors())
      if (!state_->tensors.emplace(tensor.name, &tensor).second)
        throw std::runtime_error("'" + file.string() + "': tensor '" + tensor.name +
                                 "': expected in one file, found in two");
  }
  const std::string origin = "'" + folder.string() + "'";
  settle_head(state_->config, state_->tensors, state_->notices);
  check_tensors(state_->config, state_->tensors, state_->schemes, origin);
  set_aside_unread(state_->config, state_->tensors, origin, state_->notices);
}

ModelFolder::ModelFolder(const ModelConfig& config, std::vector<StoredTensor> tensors, const std::string& origin,
                         const Json& quantization_config)
    : state_(std::make_unique<State>()) {
  state_->path = origin;
  state_->config = config;
  state_->config_json = to_json(config);
  if (!quantization_config.is_null()) {
    state_->config_json["quantization_config"] = quantization_config;
    state_->read_schemes(host::JsonCursor(state_->config_json, origin).at("quantization_config"));
  }
  state_->borrowed = std::move(tensors);
  for (const StoredTensor& tensor : state_->borrowed)
    if (!state_->tensors.emplace(tensor.name, &tensor).second)
      throw std::invalid_argument(origin + ": tensor '" + tensor.name + "': expected once, found twice");
  check_tensors(state_->config, state_->tensors, state_->schemes, origin);
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
const std::vector<std::string>& ModelFolder::notices() const {
  return state_->notices;
}
bool ModelFolder::quantized() const {
  return !state_->schemes.empty();
}
const Json& ModelFolder::retort() const {
  return state_->retort;
}

const StoredTensor& ModelFolder::tensor(const std::string& name) const {
  const StoredTensor* found = find_tensor(state_->tensors, name);
  if (found == nullptr)
    throw std::invalid_argument("'" + state_->path.string() + "': no tensor '" + name + "' in the weight files");
  return *found;
}

LinearWeight ModelFolder::linear(const std::string& module) const {
  LinearWeight found = find_linear(state_->tensors, module);
  if (found.weight == nullptr) tensor(module + ".weight");  // throws
  // An embedding has no activations, and so has the head that is tied to it.
  if (found.bits == 8 && module != "model.embed_tokens") found.activation_bits = state_->activation_bits;
  return found;
}

LinearWeight ModelFolder::head() const {
  return linear(state_->config.tie_word_embeddings ? "model.embed_tokens" : "lm_head");
}

void ModelFolder::release(const StoredTensor& tensor, std::size_t first, std::size_t bytes) const {
  for (const SafetensorsFile& file : state_->files) file.release(tensor, first, bytes);
}

std::vector<std::string> ModelFolder::weight_files() const {
  return state_->file_names;
}

std::int64_t ModelFolder::weight_bytes() const {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor] : state_->tensors) bytes += static_cast<std::int64_t>(tensor->bytes());
  return bytes;
}

void save_model(const fs::path& folder, const ModelConfig& config, std::vector<StoredTensor> tensors,
                const Json& quantization_config) {
  const std::string origin = "cannot save a model in '" + folder.string() + "'";
  TensorIndex index;
  for (const StoredTensor& tensor : tensors) index[tensor.name] = &tensor;
  Json json = to_json(config);
  model_config_from_json(json, origin);
  std::vector<WeightScheme> schemes;
  if (!quantization_config.is_null()) schemes = read_quantization_config(host::JsonCursor(quantization_config, origin));
  check_tensors(config, index, schemes, origin);
  refuse_unknown_tensors(config, index, origin);
  add_scale_of_tied_head(config, tensors);
  // Where the embedding is scaled, the type says how: written otherwise, it would be another function.
  if (config.embedding_scale == EmbeddingScale::none) json["torch_dtype"] = transformers_dtype(tensors);
  if (!quantization_config.is_null()) json["quantization_config"] = quantization_config;
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) throw std::runtime_error(origin + ": " + error.message());
  // config.json last: a folder without it is not taken for a model.
  write_safetensors(folder / "model.safetensors", tensors, {{"format", "pt"}});
  host::write_json(folder / "config.json", json);
}

}  // namespace retort::model
