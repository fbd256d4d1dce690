#include "model/llama2c_file.h"

#include <array>
#include <cstring>
#include <map>
#include <optional>
#include <stdexcept>

#include "model/mapped_file.h"

namespace retort::model {
namespace {

constexpr std::uint32_t llama2c_magic = 0x616B3432;  // "ak42"
constexpr std::size_t version_1_header = 256;
constexpr std::array<const char*, 7> fields = {"dim",        "hidden_dim", "n_layers",   "n_heads",
                                               "n_kv_heads", "vocab_size", "max_seq_len"};
// Bounds as model_config.cpp's; products of sizes then fit in 63 bits.
constexpr std::array<std::int64_t, 7> greatest = {1 << 20, 1 << 20, 1 << 12, 1 << 12, 1 << 12, 1 << 27, 1 << 30};

}  // namespace

struct Llama2cFile::State {
  [[noreturn]] void refuse(const std::string& place, const std::string& expected, const std::string& found) const {
    throw std::invalid_argument(origin + ": " + place + ": expected " + expected + ", found " + found);
  }
  template <typename Type>
  Type number_at(std::size_t offset) const {
    if (content.size() < offset + sizeof(Type))
      refuse("header", std::to_string(offset + sizeof(Type)) + " bytes or more", std::to_string(content.size()));
    Type value;
    std::memcpy(&value, content.data() + offset, sizeof(value));
    return value;
  }
  void read_sizes(std::size_t offset, bool signed_vocabulary);
  void take(const std::string& name, const std::vector<std::int64_t>& shape);
  void take_layers(const std::string& module, const std::vector<std::int64_t>& shape);
  void take_version_0();
  void take_version_1();
  void parse();

  std::string origin;
  std::optional<MappedFile> mapping;
  std::span<const std::byte> content;
  ModelConfig config;
  std::map<std::string, Llama2cTensor> tensors;
  std::size_t position = 0;
};

/// Version 0 says by a negative vocabulary size that the head has weights of its own.
void Llama2cFile::State::read_sizes(std::size_t offset, bool signed_vocabulary) {
  std::array<std::int64_t, 7> sizes{};
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    sizes[i] = number_at<std::int32_t>(offset + i * sizeof(std::int32_t));
    if (i == 5 && signed_vocabulary && sizes[i] < 0) {
      config.tie_word_embeddings = false;
      sizes[i] = -sizes[i];
    }
    if (sizes[i] < 1 || sizes[i] > greatest[i])
      refuse(std::string("header field ") + fields[i],
             "1 to " + std::to_string(greatest[i]) + " (is it a llama2.c checkpoint?)", std::to_string(sizes[i]));
  }
  if (sizes[0] % sizes[3] != 0 || sizes[0] / sizes[3] % 2 != 0)
    refuse("header field dim", "an even multiple of n_heads, " + std::to_string(sizes[3]), std::to_string(sizes[0]));
  if (sizes[3] % sizes[4] != 0)
    refuse("header field n_heads", "a multiple of n_kv_heads, " + std::to_string(sizes[4]), std::to_string(sizes[3]));
  config.hidden_size = sizes[0];
  config.intermediate_size = sizes[1];
  config.layers = sizes[2];
  config.heads = sizes[3];
  config.kv_heads = sizes[4];
  config.vocabulary_size = sizes[5];
  config.max_positions = sizes[6];
  config.head_dim = sizes[0] / sizes[3];
  config.bos_token = 1;
  config.eos_token = 2;
}

void Llama2cFile::State::take(const std::string& name, const std::vector<std::int64_t>& shape) {
  std::size_t bytes = sizeof(float);
  for (const std::int64_t size : shape) bytes *= static_cast<std::size_t>(size);
  if (bytes > content.size() - position)
    refuse("tensor '" + name + "'", std::to_string(bytes) + " bytes from byte " + std::to_string(position),
           std::to_string(content.size() - position) + "; the file is truncated, or its header is wrong");
  tensors[name] = {shape, content.data() + position};
  position += bytes;
}

void Llama2cFile::State::take_layers(const std::string& module, const std::vector<std::int64_t>& shape) {
  for (std::int64_t layer = 0; layer < config.layers; ++layer)
    take("model.layers." + std::to_string(layer) + "." + module + ".weight", shape);
}

void Llama2cFile::State::take_version_0() {
  const std::int64_t D = config.hidden_size, F = config.intermediate_size, keys = config.kv_heads * config.head_dim;
  take("model.embed_tokens.weight", {config.vocabulary_size, D});
  take_layers("input_layernorm", {D});
  take_layers("self_attn.q_proj", {D, D});
  take_layers("self_attn.k_proj", {keys, D});
  take_layers("self_attn.v_proj", {keys, D});
  take_layers("self_attn.o_proj", {D, D});
  take_layers("post_attention_layernorm", {D});
  take_layers("mlp.gate_proj", {F, D});
  take_layers("mlp.down_proj", {D, F});
  take_layers("mlp.up_proj", {F, D});
  take("model.norm.weight", {D});
  // Cosines and sines of every position, which run.c no longer reads.
  take("rotary tables", {2, config.max_positions, config.head_dim / 2});
  tensors.erase("rotary tables");
  if (!config.tie_word_embeddings) take("lm_head.weight", {config.vocabulary_size, D});
}

void Llama2cFile::State::take_version_1() {
  const std::int64_t D = config.hidden_size, F = config.intermediate_size, keys = config.kv_heads * config.head_dim;
  take_layers("input_layernorm", {D});
  take_layers("post_attention_layernorm", {D});
  take("model.norm.weight", {D});
  take("model.embed_tokens.weight", {config.vocabulary_size, D});
  take_layers("self_attn.q_proj", {D, D});
  take_layers("self_attn.k_proj", {keys, D});
  take_layers("self_attn.v_proj", {keys, D});
  take_layers("self_attn.o_proj", {D, D});
  take_layers("mlp.gate_proj", {F, D});
  take_layers("mlp.down_proj", {D, F});
  take_layers("mlp.up_proj", {F, D});
  if (!config.tie_word_embeddings) take("lm_head.weight", {config.vocabulary_size, D});
}

void Llama2cFile::State::parse() {
  if (number_at<std::uint32_t>(0) == llama2c_magic) {
    const auto version = number_at<std::int32_t>(4);
    if (version != 1) refuse("header", "version 1 (f32); others are not read", std::to_string(version));
    read_sizes(8, false);
    const auto shared = number_at<std::uint8_t>(8 + 7 * sizeof(std::int32_t));
    if (shared > 1) refuse("header field shared_classifier", "0 or 1", std::to_string(shared));
    config.tie_word_embeddings = shared == 1;
    number_at<std::uint8_t>(version_1_header - 1);
    position = version_1_header;
    take_version_1();
  } else {
    read_sizes(0, true);
    position = 7 * sizeof(std::int32_t);
    take_version_0();
  }
  if (position != content.size())
    refuse("file", std::to_string(position) + " bytes, as its header says", std::to_string(content.size()));
}

Llama2cFile::Llama2cFile(const std::filesystem::path& path) : state_(std::make_unique<State>()) {
  state_->origin = "'" + path.string() + "'";
  state_->mapping.emplace(path);
  state_->content = {state_->mapping->data(), state_->mapping->bytes()};
  state_->parse();
}

Llama2cFile::Llama2cFile(std::span<const std::byte> content, const std::string& origin)
    : state_(std::make_unique<State>()) {
  state_->origin = origin;
  state_->content = content;
  state_->parse();
}

Llama2cFile::~Llama2cFile() = default;
Llama2cFile::Llama2cFile(Llama2cFile&&) noexcept = default;

const ModelConfig& Llama2cFile::config() const {
  return state_->config;
}

const Llama2cTensor& Llama2cFile::tensor(const std::string& name) const {
  const auto found = state_->tensors.find(name);
  if (found == state_->tensors.end()) throw std::invalid_argument(state_->origin + ": no tensor '" + name + "'");
  return found->second;
}

void Llama2cFile::release(const std::byte* begin, std::size_t bytes) const {
  if (state_->mapping) state_->mapping->release(begin, bytes);
}

}  // namespace retort::model
