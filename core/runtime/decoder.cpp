// See decoder.h.
#include "runtime/decoder.h"

#include <algorithm>
#include <stdexcept>

#include "runtime/decoder_layer.h"
#include "runtime/onednn_engine.h"
#include "runtime/vector_kernels.h"
#include "runtime/weights.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kDefaultContextLimit = 4096;

std::int64_t context_of(const model::ModelConfig& config, const DecoderOptions& options) {
  if (options.context == 0) return std::min(config.max_positions, kDefaultContextLimit);
  if (options.context >= 1 && options.context <= config.max_positions) return options.context;
  throw std::invalid_argument("context: expected 1 to " + std::to_string(config.max_positions) +
                              " (the model's max_position_embeddings) or 0 for the default, found " +
                              std::to_string(options.context));
}

LinearWeights head_weights(const model::ModelFolder& folder) {
  const std::string module = folder.config().tie_word_embeddings ? "model.embed_tokens" : "lm_head";
  return read_linear(folder.head(), module, folder.path().string());
}

}  // namespace

struct Decoder::State {
  State(const model::ModelFolder& folder, const DecoderOptions& options);
  void check_room(std::span<const TokenId> tokens) const;
  /// Runs all layers over at most max_rows tokens and advances the position; leaves workspace.hidden().
  void run_layers(std::span<const TokenId> tokens);
  /// Logits of hidden rows [first, first + rows), rows ≤ kLogitRows.
  const float* run_head(std::int64_t first, std::int64_t rows);
  void look_up(TokenId token, float* target) const;

  model::ModelConfig config;
  std::int64_t context;
  std::int64_t max_rows;  ///< tokens in one pass through the layers
  OneDnnEngine onednn;
  MatmulPool pool;
  LinearWeights embedding;  ///< [V,D], as stored
  std::vector<DecoderLayer> layers;
  std::vector<float> final_norm;
  Linear head;
  RopeTable rope;
  KvCache cache;
  Workspace workspace;
  std::int64_t position = 0;
};

Decoder::State::State(const model::ModelFolder& folder, const DecoderOptions& options)
    : config(folder.config()),
      context(context_of(config, options)),
      max_rows(std::min(context, kRowBuckets.back())),
      onednn(options.threads),
      pool(onednn, max_rows),
      embedding(read_linear(folder.linear("model.embed_tokens"), "model.embed_tokens", folder.path().string())),
      final_norm(finite_f32(folder.tensor("model.norm.weight"), folder.path().string())),
      head(pool, head_weights(folder)),
      rope(context, model::rope_frequencies(config.rope_scaling, config.rope_theta, config.head_dim),
           config.rope_scaling.attention_factor),
      cache(config.layers, config.kv_heads, config.head_dim, context),
      workspace(config, row_bucket(max_rows), context) {
  for (std::int64_t i = 0; i < config.layers; ++i) layers.emplace_back(folder, i, pool);
}

void Decoder::State::check_room(std::span<const TokenId> tokens) const {
  if (tokens.empty()) throw std::invalid_argument("forward: expected at least one token, found none");
  const auto count = static_cast<std::int64_t>(tokens.size());
  if (count > context - position) {
    throw std::invalid_argument("forward: " + std::to_string(count) + " tokens after position " +
                                std::to_string(position) + " do not fit the cache of " + std::to_string(context) +
                                " tokens; shorten the input or give DecoderOptions::context a larger value (the model "
                                "allows " +
                                std::to_string(config.max_positions) + ")");
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i] >= 0 && tokens[i] < config.vocabulary_size) continue;
    throw std::invalid_argument("forward: token " + std::to_string(tokens[i]) + " at index " + std::to_string(i) +
                                " is outside the vocabulary, expected 0 to " +
                                std::to_string(config.vocabulary_size - 1) +
                                "; does the tokenizer belong to this model?");
  }
}

void Decoder::State::look_up(TokenId token, float* target) const {
  const auto row = static_cast<std::size_t>(token);
  const auto width = static_cast<std::size_t>(config.hidden_size);
  for (std::size_t i = 0; i < width; ++i) {
    target[i] = embedding.shape.arithmetic == Arithmetic::f32
                    ? embedding.values[row * width + i]
                    : static_cast<float>(embedding.codes[row * width + i]) * embedding.scales[row];
  }
}

void Decoder::State::run_layers(std::span<const TokenId> tokens) {
  const auto rows = static_cast<std::int64_t>(tokens.size());
  float* target = workspace.hidden();
  for (const TokenId token : tokens) {
    look_up(token, target);
    target += config.hidden_size;
  }
  for (const DecoderLayer& layer : layers) layer.forward(rows, position, rope, cache, workspace);
  position += rows;
}

const float* Decoder::State::run_head(std::int64_t first, std::int64_t rows) {
  const std::int64_t width = config.hidden_size;
  for (std::int64_t row = 0; row < rows; ++row) {
    const float maximum = rms_norm(workspace.hidden() + (first + row) * width, final_norm.data(), width,
                                   static_cast<float>(config.rms_norm_epsilon), workspace.input().values + row * width);
    workspace.finish_row(head, row, maximum);
  }
  head.run(rows, workspace.input(), workspace.logits());
  if (head.quantized()) {
    for (std::int64_t row = 0; row < rows; ++row) {
      scale_row(workspace.input().row_scales[row], head.out(), workspace.logits() + row * head.out());
    }
  }
  return workspace.logits();
}

Decoder::Decoder(const model::ModelFolder& folder, DecoderOptions options)
    : state_(std::make_unique<State>(folder, options)) {}

Decoder::~Decoder() = default;

const model::ModelConfig& Decoder::config() const {
  return state_->config;
}
std::int64_t Decoder::context() const {
  return state_->context;
}
void Decoder::reset() {
  state_->position = 0;
}
std::int64_t Decoder::position() const {
  return state_->position;
}

std::span<const float> Decoder::forward(std::span<const TokenId> tokens) {
  State& state = *state_;
  state.check_room(tokens);
  const ThreadCountScope threads(state.onednn.threads());
  std::int64_t rows = 0;
  while (!tokens.empty()) {
    rows = std::min<std::int64_t>(state.max_rows, static_cast<std::int64_t>(tokens.size()));
    state.run_layers(tokens.first(static_cast<std::size_t>(rows)));
    tokens = tokens.subspan(static_cast<std::size_t>(rows));
  }
  return {state.run_head(rows - 1, 1), static_cast<std::size_t>(state.config.vocabulary_size)};
}

std::vector<float> Decoder::forward_all(std::span<const TokenId> tokens) {
  State& state = *state_;
  state.check_room(tokens);
  const ThreadCountScope threads(state.onednn.threads());
  std::vector<float> logits;
  logits.reserve(tokens.size() * static_cast<std::size_t>(state.config.vocabulary_size));
  while (!tokens.empty()) {
    const auto rows = std::min<std::int64_t>(state.max_rows, static_cast<std::int64_t>(tokens.size()));
    state.run_layers(tokens.first(static_cast<std::size_t>(rows)));
    for (std::int64_t first = 0; first < rows; first += kLogitRows) {
      const std::int64_t count = std::min(kLogitRows, rows - first);
      const float* block = state.run_head(first, count);
      logits.insert(logits.end(), block, block + count * state.config.vocabulary_size);
    }
    tokens = tokens.subspan(static_cast<std::size_t>(rows));
  }
  return logits;
}

std::vector<std::string> Decoder::implementations() const {
  std::vector<std::string> lines{state_->onednn.description()};
  // Layers after the first repeat its lines, unless a quantiser left some of them in float.
  for (const DecoderLayer& layer : state_->layers) {
    for (std::string& line : layer.implementations()) {
      if (std::find(lines.begin(), lines.end(), line) == lines.end()) lines.push_back(std::move(line));
    }
  }
  lines.push_back(state_->head.implementation());
  return lines;
}

}  // namespace retort::runtime
