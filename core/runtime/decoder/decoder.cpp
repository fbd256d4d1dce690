// See decoder.h.
#include "runtime/decoder/decoder.h"

#include <algorithm>
#include <optional>
#include <stdexcept>

#include "host/base/log.h"
#include "runtime/cache/prefix_cache.h"
#include "runtime/decoder/decoder_layer.h"
#include "runtime/decoder/embedding.h"
#include "runtime/decoder/sequence_table.h"
#include "runtime/decoder/weights.h"
#include "runtime/kernels/onednn_engine.h"
#include "runtime/kernels/parallel.h"
#include "runtime/kernels/vector_kernels.h"

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

std::int64_t sequences_of(const DecoderOptions& options) {
  if (options.sequences >= 1 && options.sequences <= kMaxSequences) return options.sequences;
  throw std::invalid_argument("sequences: expected 1 to " + std::to_string(kMaxSequences) + ", found " +
                              std::to_string(options.sequences));
}

/// A prompt that is read in both directions goes through the layers in one piece.
std::int64_t chunk_of(const model::ModelConfig& config, const DecoderOptions& options) {
  if (options.chunk == 0) return config.prompt_end_token < 0 ? kDefaultChunk : kRowBuckets.back();
  if (options.chunk > 0 && options.chunk <= kRowBuckets.back() && options.chunk % kBlockTokens == 0)
    return options.chunk;
  throw std::invalid_argument("chunk: expected a multiple of " + std::to_string(kBlockTokens) + " up to " +
                              std::to_string(kRowBuckets.back()) + " or 0 for the default, found " +
                              std::to_string(options.chunk));
}

/// None where what a prompt begins with depends on how it ends.
std::int64_t prefix_blocks(const model::ModelConfig& config, const DecoderOptions& options) {
  if (options.prefix_cache >= 0) return config.prompt_end_token < 0 ? options.prefix_cache / kBlockTokens : 0;
  throw std::invalid_argument("prefix_cache: expected 0 (none) or more tokens, found " +
                              std::to_string(options.prefix_cache));
}

std::int64_t blocks_of(std::int64_t tokens) {
  return (tokens + kBlockTokens - 1) / kBlockTokens;
}

/// Weights that the folder has packed are taken from there by what is made with the pool.
MatmulPool& with_packed_weights(MatmulPool& pool, const model::ModelFolder& folder, const DecoderOptions& options) {
  if (options.weights == WeightSource::packed) pool.weights().use(open_packed_weights(folder));
  return pool;
}

}  // namespace

struct Decoder::State {
  State(const model::ModelFolder& folder, const DecoderOptions& options);
  void check_sequence(std::int64_t sequence) const;
  void check_token(TokenId token, std::size_t index) const;
  /// Whether `tokens` fit the sequence's cache after `position` tokens, and the vocabulary.
  void check_room(std::span<const TokenId> tokens, std::int64_t position) const;
  /// Whether what begins a sequence holds a whole prompt, where the model reads that in both directions.
  void check_prompt(std::span<const TokenId> tokens, std::int64_t position) const;
  /// The tokens of `tokens` that the next pass of `sequence` takes: up to the end of a chunk.
  std::span<const TokenId> next_pass(std::span<const TokenId> tokens, std::int64_t sequence) const;
  /// Runs all layers over one pass of one sequence, which then is longer; leaves what is wanted in workspace.hidden().
  void run_layers(std::span<const TokenId> tokens, std::int64_t sequence, Wanted wanted);
  /// All passes; logits after the last token.
  std::span<const float> run(std::span<const TokenId> tokens, std::int64_t sequence);
  void run_pass(Wanted wanted);
  /// Logits of hidden rows [first, first + rows), rows ≤ kLogitRows.
  const float* run_head(std::int64_t first, std::int64_t rows);

  model::ModelConfig config;
  std::int64_t chunk;
  std::int64_t max_rows;  ///< tokens in one pass through the layers
  OneDnnEngine onednn;
  MatmulPool pool;
  Linear head;
  Embedding embedding;
  std::vector<DecoderLayer> layers;
  std::vector<float> final_norm;
  RopeTable rope;
  std::optional<RopeTable> local_rope;  ///< of layers that turn on a base of their own
  BlockPool blocks;
  SequenceTable sequences;
  PrefixCache prefixes;
  KvCache cache;
  Workspace workspace;
  std::vector<RowPlace> places;  ///< of the pass that runs; capacity for max_rows
  std::vector<RowRun> runs;
  std::vector<BlockId> matched;
};

Decoder::State::State(const model::ModelFolder& folder, const DecoderOptions& options)
    : config(folder.config()),
      chunk(chunk_of(config, options)),
      max_rows(std::max(std::min(context_of(config, options), chunk), sequences_of(options))),
      onednn(options.threads),
      pool(onednn, max_rows),
      head(with_packed_weights(pool, folder, options), read_head(folder)),
      embedding(folder, head, pool.weights()),
      final_norm(norm_weight(folder, "model.norm")),
      rope(context_of(config, options),
           model::rope_frequencies(config.rope_scaling, config.rope_theta, config.head_dim),
           config.rope_scaling.attention_factor),
      blocks(options.sequences * blocks_of(context_of(config, options)) + prefix_blocks(config, options)),
      sequences(options.sequences, context_of(config, options), blocks),
      prefixes(blocks, chunk, prefix_blocks(config, options)),
      cache(config.layers, config.kv_heads, config.head_dim, blocks.size(),
            concrete(options.kv_cache, config.parameters())),
      workspace(config, row_bucket(max_rows), onednn.threads()) {
  if (onednn.threads() < options.threads) host::log_warning(onednn.description());
  for (std::int64_t i = 0; i < config.layers; ++i) {
    layers.emplace_back(folder, i, pool);
    if (config.turns_locally(i) && !local_rope)
      local_rope.emplace(context_of(config, options), model::rope_frequencies(config, i), 1.0);
  }
  if (const std::int64_t missed = pool.weights().missed(); missed > 0)
    host::log_info("'" + folder.path().string() + "': " + std::to_string(missed) + " of " +
                   std::to_string(pool.weights().sections().size()) +
                   " packed weights are laid out otherwise than these options need, and were packed anew");
  pool.weights().prefer_huge_pages();
  places.reserve(static_cast<std::size_t>(max_rows));
  runs.reserve(static_cast<std::size_t>(max_rows));
}

void Decoder::State::check_sequence(std::int64_t sequence) const {
  if (sequence >= 0 && sequence < sequences.count()) return;
  throw std::invalid_argument("sequence: expected 0 to " + std::to_string(sequences.count() - 1) + ", found " +
                              std::to_string(sequence) + "; DecoderOptions::sequences says how many there are");
}

void Decoder::State::check_token(TokenId token, std::size_t index) const {
  if (token >= 0 && token < config.vocabulary_size) return;
  throw std::invalid_argument("forward: token " + std::to_string(token) + " at index " + std::to_string(index) +
                              " is outside the vocabulary, expected 0 to " +
                              std::to_string(config.vocabulary_size - 1) +
                              "; does the tokenizer belong to this model?");
}

void Decoder::State::check_room(std::span<const TokenId> tokens, std::int64_t position) const {
  if (tokens.empty()) throw std::invalid_argument("forward: expected at least one token, found none");
  const auto count = static_cast<std::int64_t>(tokens.size());
  if (count > sequences.context() - position) {
    throw std::invalid_argument("forward: " + std::to_string(count) + " tokens after position " +
                                std::to_string(position) + " do not fit the cache of " +
                                std::to_string(sequences.context()) +
                                " tokens; shorten the input or give DecoderOptions::context a larger value (the model "
                                "allows " +
                                std::to_string(config.max_positions) + ")");
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) check_token(tokens[i], i);
  check_prompt(tokens, position);
}

void Decoder::State::check_prompt(std::span<const TokenId> tokens, std::int64_t position) const {
  if (config.prompt_end_token < 0 || position > 0) return;
  const std::int64_t whole = config.read_both_ways(tokens);
  if (whole >= 1 && whole <= chunk) return;
  throw std::invalid_argument(
      "forward: the model reads a prompt in both directions, so that it must come whole, with its end (token " +
      std::to_string(config.prompt_end_token) + ") among the first " + std::to_string(chunk) + " tokens; found " +
      (whole == 0 ? "no end" : std::to_string(whole) + " tokens to it"));
}

std::span<const TokenId> Decoder::State::next_pass(std::span<const TokenId> tokens, std::int64_t sequence) const {
  const std::int64_t left = chunk - sequences.position(sequence) % chunk;
  return tokens.first(std::min(tokens.size(), static_cast<std::size_t>(left)));
}

void Decoder::State::run_layers(std::span<const TokenId> tokens, std::int64_t sequence, Wanted wanted) {
  places.clear();
  runs.clear();
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    embedding.look_up(tokens[i], workspace.hidden() + static_cast<std::int64_t>(i) * config.hidden_size);
    places.push_back(sequences.append(sequence));
  }
  if (places.front().position == 0) {
    const auto whole = static_cast<std::size_t>(config.read_both_ways(tokens));
    for (std::size_t i = 0; i < whole; ++i) places[i].sees = static_cast<std::int64_t>(whole);
  }
  const auto rows = static_cast<std::int64_t>(tokens.size());
  const std::int64_t longest = DecoderLayer::longest_run(config);
  for (std::int64_t first = 0; first < rows; first += longest) runs.push_back({first, std::min(longest, rows - first)});
  run_pass(wanted);
}

void Decoder::State::run_pass(Wanted wanted) {
  const Pass pass{places, runs};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const bool local = config.turns_locally(static_cast<std::int64_t>(i));
    layers[i].forward(pass, i + 1 == layers.size() ? wanted : Wanted::all_rows, local ? *local_rope : rope, cache,
                      workspace);
  }
}

std::span<const float> Decoder::State::run(std::span<const TokenId> tokens, std::int64_t sequence) {
  const ThreadCountScope threads(onednn.threads());
  while (!tokens.empty()) {
    const std::span<const TokenId> pass = next_pass(tokens, sequence);
    run_layers(pass, sequence, pass.size() == tokens.size() ? Wanted::last_row : Wanted::nothing);
    tokens = tokens.subspan(pass.size());
  }
  return {run_head(0, 1), static_cast<std::size_t>(config.vocabulary_size)};
}

const float* Decoder::State::run_head(std::int64_t first, std::int64_t rows) {
  const std::int64_t width = config.hidden_size;
  head.run_scaled(rows, workspace.input(), workspace.logits(), [&] {
    parallel_for(rows, rows * width, [&](std::int64_t row, std::int64_t) {
      const float maximum =
          rms_norm(workspace.hidden() + (first + row) * width, final_norm.data(), width,
                   static_cast<float>(config.rms_norm_epsilon), workspace.input().values + row * width);
      workspace.finish_row(head, row, rows, maximum);
    });
  });
  return workspace.logits();
}

Decoder::Decoder(const model::ModelFolder& folder, DecoderOptions options)
    : state_(std::make_unique<State>(folder, options)) {
  for (const std::string& line : implementations()) host::log_debug("'" + folder.path().string() + "': " + line);
}

Decoder::~Decoder() = default;

const model::ModelConfig& Decoder::config() const {
  return state_->config;
}
std::int64_t Decoder::context() const {
  return state_->sequences.context();
}
std::int64_t Decoder::sequences() const {
  return state_->sequences.count();
}
std::int64_t Decoder::threads() const {
  return state_->onednn.threads();
}
KvType Decoder::kv_cache() const {
  return state_->cache.type();
}
std::int64_t Decoder::kv_bytes_per_token() const {
  return state_->cache.bytes_per_token();
}
void Decoder::reset(std::int64_t sequence) {
  state_->check_sequence(sequence);
  state_->sequences.clear(sequence);
}
std::int64_t Decoder::position(std::int64_t sequence) const {
  state_->check_sequence(sequence);
  return state_->sequences.position(sequence);
}

std::span<const float> Decoder::forward(std::span<const TokenId> tokens, std::int64_t sequence) {
  state_->check_sequence(sequence);
  state_->check_room(tokens, state_->sequences.position(sequence));
  return state_->run(tokens, sequence);
}

std::span<const float> Decoder::prompt(std::span<const TokenId> tokens, std::int64_t sequence, std::int64_t* reused) {
  State& state = *state_;
  state.check_sequence(sequence);
  state.check_room(tokens, 0);
  state.sequences.clear(sequence);
  // The last token is always computed: its logits are wanted.
  state.prefixes.match(tokens.first(tokens.size() - 1), state.matched);
  state.sequences.begin(sequence, state.matched);
  const std::int64_t known = state.sequences.position(sequence);
  if (reused != nullptr) *reused = known;
  const std::span<const float> logits = state.run(tokens.subspan(static_cast<std::size_t>(known)), sequence);
  state.prefixes.insert(tokens, state.sequences.blocks(sequence));
  return logits;
}

std::span<const float> Decoder::step(std::span<const SequenceStep> steps) {
  State& state = *state_;
  if (steps.empty() || static_cast<std::int64_t>(steps.size()) > state.sequences.count())
    throw std::invalid_argument("step: expected 1 to " + std::to_string(state.sequences.count()) +
                                " sequences, found " + std::to_string(steps.size()));
  for (std::size_t i = 0; i < steps.size(); ++i) {
    state.check_sequence(steps[i].sequence);
    state.check_room({&steps[i].token, 1}, state.sequences.position(steps[i].sequence));
    for (std::size_t j = 0; j < i; ++j)
      if (steps[j].sequence == steps[i].sequence)
        throw std::invalid_argument("step: expected every sequence once, found " + std::to_string(steps[i].sequence) +
                                    " twice");
  }
  const ThreadCountScope threads(state.onednn.threads());
  state.places.clear();
  state.runs.clear();
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    state.embedding.look_up(steps[i].token, state.workspace.hidden() + row * state.config.hidden_size);
    state.places.push_back(state.sequences.append(steps[i].sequence));
    state.runs.push_back({row, 1});
  }
  state.run_pass(Wanted::all_rows);
  const auto rows = static_cast<std::int64_t>(steps.size());
  return {state.run_head(0, rows), steps.size() * static_cast<std::size_t>(state.config.vocabulary_size)};
}

void Decoder::fork(std::int64_t from, std::int64_t to, std::int64_t tokens) {
  State& state = *state_;
  state.check_sequence(from);
  state.check_sequence(to);
  const std::int64_t most = state.sequences.position(from);
  if (tokens < 1 || tokens > most)
    throw std::invalid_argument("fork: expected 1 to " + std::to_string(most) + " tokens, those of sequence " +
                                std::to_string(from) + ", found " + std::to_string(tokens));
  const SequenceTable::BlockCopy copy = state.sequences.fork(from, to, tokens);
  if (copy.target >= 0) state.cache.copy_block(copy.source, copy.target);
}

void Decoder::update_weights(const model::ModelFolder& folder) {
  State& state = *state_;
  if (folder.config() != state.config)
    throw std::invalid_argument("'" + folder.path().string() +
                                "': expected a model of the shape of the one in use, found another config.json");
  const ThreadCountScope threads(state.onednn.threads());
  for (std::int64_t sequence = 0; sequence < state.sequences.count(); ++sequence) state.sequences.clear(sequence);
  state.prefixes.clear();
  state.pool.weights().make_writable();
  state.head.repack(read_head(folder));
  state.embedding.update(folder);
  state.final_norm = norm_weight(folder, "model.norm");
  for (DecoderLayer& layer : state.layers) layer.update(folder);
}

std::vector<float> Decoder::forward_all(std::span<const TokenId> tokens, std::int64_t sequence) {
  State& state = *state_;
  state.check_sequence(sequence);
  state.check_room(tokens, state.sequences.position(sequence));
  const ThreadCountScope threads(state.onednn.threads());
  std::vector<float> logits;
  logits.reserve(tokens.size() * static_cast<std::size_t>(state.config.vocabulary_size));
  while (!tokens.empty()) {
    const std::span<const TokenId> pass = state.next_pass(tokens, sequence);
    const auto rows = static_cast<std::int64_t>(pass.size());
    state.run_layers(pass, sequence, Wanted::all_rows);
    for (std::int64_t first = 0; first < rows; first += kLogitRows) {
      const std::int64_t count = std::min(kLogitRows, rows - first);
      const float* block = state.run_head(first, count);
      logits.insert(logits.end(), block, block + count * state.config.vocabulary_size);
    }
    tokens = tokens.subspan(pass.size());
  }
  return logits;
}

const std::vector<model::PackedSection>& Decoder::packed_sections() const {
  return state_->pool.weights().sections();
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
