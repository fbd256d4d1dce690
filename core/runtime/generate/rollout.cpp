// See rollout.h.
#include "runtime/generate/rollout.h"

#include <algorithm>
#include <limits>
#include <map>
#include <stdexcept>
#include <utility>

#include "host/plugin/stop_request.h"
#include "model/model_folder.h"
#include "runtime/generate/allowed_tokens.h"
#include "runtime/kernels/onednn_engine.h"
#include "runtime/kernels/parallel.h"
#include "runtime/kernels/vector_kernels.h"

namespace retort::runtime {
namespace {

/// The weights as a folder in memory; keeps what they are rounded to, so that the next ones need no memory.
class LentWeights {
 public:
  model::ModelFolder folder(const model::ModelConfig& config, const FloatWeights& weights, RolloutPrecision precision) {
    std::vector<model::StoredTensor> tensors;
    for (const auto& [name, shape] : model::tensor_shapes(config)) {
      model::StoredTensor tensor{name, model::DataType::f32, shape, nullptr};
      const std::span<const float> values = weights(name);
      if (static_cast<std::int64_t>(values.size()) != tensor.elements())
        throw std::invalid_argument("rollout weights: tensor '" + name + "': expected " +
                                    std::to_string(tensor.elements()) + " values, found " +
                                    std::to_string(values.size()));
      tensor.data = reinterpret_cast<const std::byte*>(values.data());
      if (precision == RolloutPrecision::bf16 && shape.size() == 2) round(values, tensor);
      tensors.push_back(std::move(tensor));
    }
    return model::ModelFolder(config, std::move(tensors), "rollout weights");
  }

 private:
  void round(std::span<const float> values, model::StoredTensor& tensor) {
    std::vector<std::uint16_t>& halves = halves_[tensor.name];
    halves.resize(values.size());
    round_to_bfloat16(values.data(), static_cast<std::int64_t>(values.size()), halves.data());
    tensor.type = model::DataType::bf16;
    tensor.data = reinterpret_cast<const std::byte*>(halves.data());
  }

  std::map<std::string, std::vector<std::uint16_t>> halves_;
};

DecoderOptions decoder_options(const RolloutEngineOptions& options) {
  if (options.sequences < 1 || options.sequences > kMaxRollouts)
    throw std::invalid_argument("sequences: expected 1 to " + std::to_string(kMaxRollouts) + ", found " +
                                std::to_string(options.sequences));
  return {.context = options.context,
          .threads = options.threads,
          .kv_cache = options.kv_cache,
          .sequences = options.sequences};
}

void check(const RolloutOptions& options) {
  if (!(options.temperature >= 0 && options.temperature <= 1e6))
    throw std::invalid_argument("temperature: expected 0 to 1000000, found " + std::to_string(options.temperature));
  if (options.max_new_tokens < 1)
    throw std::invalid_argument("max_new_tokens: expected at least 1, found " + std::to_string(options.max_new_tokens));
  if (options.group_size < 1)
    throw std::invalid_argument("group_size: expected at least 1, found " + std::to_string(options.group_size));
}

void check_numbers(std::size_t prompts, const RolloutOptions& options) {
  if (!options.numbers.empty() && options.numbers.size() != prompts)
    throw std::invalid_argument("numbers: expected one for each of " + std::to_string(prompts) + " prompts, found " +
                                std::to_string(options.numbers.size()));
}

/// Prompts that could not be computed are refused before any is.
void check(std::span<const std::vector<TokenId>> prompts, const Decoder& decoder) {
  const std::int64_t vocabulary = decoder.config().vocabulary_size;
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    const std::string name = "prompt " + std::to_string(i);
    const auto size = static_cast<std::int64_t>(prompts[i].size());
    if (size < 1 || size >= decoder.context())
      throw std::invalid_argument(name + ": expected 1 to " + std::to_string(decoder.context() - 1) +
                                  " tokens, which leave room for one more, found " + std::to_string(size));
    for (const TokenId token : prompts[i])
      if (token < 0 || token >= vocabulary)
        throw std::invalid_argument(name + ": expected tokens from 0 to " + std::to_string(vocabulary - 1) +
                                    ", found " + std::to_string(token));
  }
}

/// One call of sample(): which row stands in which sequence of the decoder.
class Sampling {
 public:
  Sampling(Decoder& decoder, std::span<const std::vector<TokenId>> prompts, const RolloutOptions& options)
      : decoder_(decoder),
        prompts_(prompts),
        options_(options),
        group_(static_cast<std::size_t>(options.group_size)),
        results_(prompts.size() * group_),
        slots_(static_cast<std::size_t>(decoder.sequences())) {
    if (options.grammar != nullptr) states_.resize(results_.size());
  }

  std::vector<Rollout> run() {
    const ThreadCountScope threads(decoder_.threads());
    while (true) {
      host::throw_if_stop_requested();
      for (std::size_t i = 0; i < slots_.size() && next_ < results_.size(); ++i) fill(i);
      if (!step()) return std::move(results_);
    }
  }

 private:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);
  struct Slot {
    std::size_t prompt = kNone;  // that the sequence begins with, also when its row is over
    std::size_t row = kNone;     // kNone: free
  };

  std::size_t length(std::size_t prompt) const { return prompts_[prompt].size(); }

  /// Free sequences take the next rows; some are over with their first token.
  void fill(std::size_t slot) {
    while (slots_[slot].row == kNone && next_ < results_.size()) {
      const std::size_t row = next_++, prompt = row / group_;
      if (row % group_ == 0) {
        const std::span<const float> logits = decoder_.prompt(prompts_[prompt], static_cast<std::int64_t>(slot));
        first_logits_.assign(logits.begin(), logits.end());
      } else {
        decoder_.fork(static_cast<std::int64_t>(begun_with(prompt, slot)), static_cast<std::int64_t>(slot),
                      static_cast<std::int64_t>(length(prompt)));
      }
      slots_[slot] = {prompt, row};
      if (options_.grammar != nullptr) states_[row] = options_.grammar->begin();
      draw(slot, first_logits_);
    }
  }

  /// A sequence that begins with the prompt: this one, if it does. A group's rows follow each other into the sequences
  /// that become free, so there always is one while rows of the group are to come.
  std::size_t begun_with(std::size_t prompt, std::size_t slot) const {
    if (slots_[slot].prompt == prompt) return slot;
    const auto found =
        std::find_if(slots_.begin(), slots_.end(), [&](const Slot& other) { return other.prompt == prompt; });
    return static_cast<std::size_t>(found - slots_.begin());
  }

  void draw(std::size_t slot, std::span<const float> logits) {
    const std::size_t row = slots_[slot].row;
    if (options_.grammar != nullptr) {
      first_masked_.resize(logits.size());
      mask(row, logits, first_masked_);
      logits = first_masked_;
    }
    append(slot, draw_token(logits, options_.temperature, number_of(row)));
  }

  /// What the next token of a row is drawn with.
  double number_of(std::size_t row) const {
    std::uint64_t stream = row;
    if (!options_.numbers.empty()) stream = options_.numbers[row / group_] * group_ + row % group_;
    return draw_number(options_.seed, stream, results_[row].tokens.size());
  }

  /// `logits` with what the row's grammar does not allow as NaN, which is impossible to draw.
  void mask(std::size_t row, std::span<const float> logits, std::span<float> masked) {
    std::fill(masked.begin(), masked.end(), std::numeric_limits<float>::quiet_NaN());
    for_each_allowed(options_.grammar->mask(states_[row]), logits.size(),
                     [&](std::size_t token) { masked[token] = logits[token]; });
  }

  void append(std::size_t slot, const DrawnToken& drawn) {
    if (drawn.token < 0)
      throw std::runtime_error("rollouts: every logit of row " + std::to_string(slots_[slot].row) +
                               " is NaN although the weights are finite: activations overflowed; training diverged");
    Rollout& rollout = results_[slots_[slot].row];
    rollout.tokens.push_back(drawn.token);
    rollout.log_probabilities.push_back(drawn.log_probability);
    rollout.finished = drawn.token == options_.end_token;
    if (options_.grammar != nullptr) options_.grammar->advance(states_[slots_[slot].row], drawn.token);
    const std::int64_t room = decoder_.context() - static_cast<std::int64_t>(length(slots_[slot].prompt));
    const auto most = static_cast<std::size_t>(std::min(options_.max_new_tokens, room));
    if (rollout.finished || rollout.tokens.size() >= most) slots_[slot].row = kNone;
  }

  /// One more token of every row that goes on; false if none does.
  bool step() {
    steps_.clear();
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (slots_[i].row != kNone)
        steps_.push_back({static_cast<std::int64_t>(i), results_[slots_[i].row].tokens.back()});
    if (steps_.empty()) return false;
    std::span<const float> logits = decoder_.step(steps_);
    const std::size_t vocabulary = logits.size() / steps_.size();
    if (options_.grammar != nullptr) {
      masked_.resize(logits.size());
      for (std::size_t i = 0; i < steps_.size(); ++i)
        mask(slots_[static_cast<std::size_t>(steps_[i].sequence)].row, logits.subspan(i * vocabulary, vocabulary),
             std::span(masked_).subspan(i * vocabulary, vocabulary));
      logits = masked_;
    }
    drawn_.resize(steps_.size());
    const auto count = static_cast<std::int64_t>(steps_.size());
    parallel_for(count, 8 * static_cast<std::int64_t>(logits.size()), [&](std::int64_t i, std::int64_t) {
      const auto index = static_cast<std::size_t>(i);
      const std::size_t row = slots_[static_cast<std::size_t>(steps_[index].sequence)].row;
      drawn_[index] = draw_token(logits.subspan(index * vocabulary, vocabulary), options_.temperature, number_of(row));
    });
    for (std::size_t i = 0; i < steps_.size(); ++i) append(static_cast<std::size_t>(steps_[i].sequence), drawn_[i]);
    return true;
  }

  Decoder& decoder_;
  std::span<const std::vector<TokenId>> prompts_;
  const RolloutOptions& options_;
  std::size_t group_;
  std::vector<Rollout> results_;
  std::vector<Slot> slots_;
  std::size_t next_ = 0;                       // row
  std::vector<float> first_logits_;            // behind the prompt of row next_ − 1
  std::vector<grammar::GrammarState> states_;  // [rows], under a grammar
  std::vector<float> first_masked_, masked_;
  std::vector<SequenceStep> steps_;
  std::vector<DrawnToken> drawn_;
};

}  // namespace

struct RolloutEngine::State {
  State(const model::ModelConfig& config, const FloatWeights& weights, const RolloutEngineOptions& options)
      : precision(options.precision),
        decoder(lent.folder(config, weights, options.precision), decoder_options(options)) {}

  RolloutPrecision precision;
  LentWeights lent;
  Decoder decoder;
};

RolloutEngine::RolloutEngine(const model::ModelConfig& config, const FloatWeights& weights,
                             RolloutEngineOptions options)
    : state_(std::make_unique<State>(config, weights, options)) {}

RolloutEngine::~RolloutEngine() = default;

void RolloutEngine::update_weights(const FloatWeights& weights) {
  state_->decoder.update_weights(state_->lent.folder(config(), weights, state_->precision));
}

std::vector<Rollout> RolloutEngine::sample(std::span<const std::vector<TokenId>> prompts,
                                           const RolloutOptions& options) {
  check(options);
  check(prompts, state_->decoder);
  check_numbers(prompts.size(), options);
  return Sampling(state_->decoder, prompts, options).run();
}

const model::ModelConfig& RolloutEngine::config() const {
  return state_->decoder.config();
}
std::int64_t RolloutEngine::context() const {
  return state_->decoder.context();
}
Decoder& RolloutEngine::decoder() {
  return state_->decoder;
}

}  // namespace retort::runtime
