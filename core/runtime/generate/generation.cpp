// See generation.h.
#include "runtime/generate/generation.h"

#include <algorithm>
#include <chrono>
#include <memory>

namespace retort::runtime {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// One prompt being continued in one sequence of the decoder.
class Run {
 public:
  Run(Decoder& decoder, std::int64_t sequence, std::span<const TokenId> prompt, const GenerationOptions& options,
      std::uint64_t seed)
      : options_(options), sequence_(sequence), prompt_size_(prompt.size()), sampler_(seeded(options.sampling, seed)) {
    // The last token is never fed back, so one more fits than the cache has room for.
    const std::int64_t room = decoder.context() - static_cast<std::int64_t>(prompt.size()) + 1;
    most_ = static_cast<std::size_t>(std::max<std::int64_t>(0, std::min(options.max_new_tokens, room)));
    tokens_.reserve(prompt.size() + most_);
    tokens_.assign(prompt.begin(), prompt.end());
    if (options.log_probabilities > 0) result_.log_probabilities.reserve(most_);
    const Clock::time_point start = Clock::now();
    const std::span<const float> logits = decoder.prompt(prompt, sequence);
    result_.prefill_ms = milliseconds_since(start);
    start_ = Clock::now();
    goes_on_ = most_ > 0;
    if (goes_on_) take(logits);
  }

  bool goes_on() const { return goes_on_; }
  SequenceStep step() const { return {sequence_, tokens_.back()}; }

  /// The next token from the logits [V] that step() gave.
  void take(std::span<const float> logits) {
    const TokenId token = sampler_.next(logits, tokens_);
    tokens_.push_back(token);
    if (options_.log_probabilities > 0)
      result_.log_probabilities.push_back(log_probabilities(logits, token, options_.log_probabilities));
    const bool ended = std::find(options_.ends.begin(), options_.ends.end(), token) != options_.ends.end();
    goes_on_ = !ended && tokens_.size() - prompt_size_ < most_;
  }
  void stop() { goes_on_ = false; }

  Generation finish() {
    result_.tokens.assign(tokens_.begin() + static_cast<std::ptrdiff_t>(prompt_size_), tokens_.end());
    result_.decode_ms = milliseconds_since(start_);
    return std::move(result_);
  }

 private:
  static SamplingOptions seeded(SamplingOptions sampling, std::uint64_t seed) {
    sampling.seed = seed;
    return sampling;
  }

  const GenerationOptions& options_;
  std::int64_t sequence_;
  std::size_t prompt_size_, most_ = 0;
  Sampler sampler_;
  std::vector<TokenId> tokens_;  // prompt and answer
  Generation result_;
  Clock::time_point start_;
  bool goes_on_ = false;
};

}  // namespace

Generation generate(Decoder& decoder, std::span<const TokenId> prompt, const GenerationOptions& options) {
  Run run(decoder, 0, prompt, options, options.sampling.seed);
  const bool any = options.max_new_tokens > 0;
  if (any && options.token && !options.token(run.step().token)) run.stop();
  while (run.goes_on()) {
    const SequenceStep step = run.step();
    run.take(decoder.forward({&step.token, 1}));
    if (options.token && !options.token(run.step().token)) run.stop();
  }
  return run.finish();
}

Generation generate_greedy(Decoder& decoder, std::span<const TokenId> prompt, TokenId end,
                           std::int64_t max_new_tokens) {
  return generate(decoder, prompt, {.ends = {end}, .max_new_tokens = max_new_tokens});
}

std::vector<Generation> generate_batch(Decoder& decoder, std::span<const std::vector<TokenId>> prompts,
                                       const GenerationOptions& options) {
  std::vector<Generation> results(prompts.size());
  struct Slot {
    std::size_t prompt = 0;
    std::unique_ptr<Run> run;
  };
  std::vector<Slot> slots(static_cast<std::size_t>(decoder.sequences()));
  std::vector<Slot*> stepped;
  std::vector<SequenceStep> steps;
  const auto vocabulary = static_cast<std::size_t>(decoder.config().vocabulary_size);
  std::size_t next = 0;
  while (true) {
    stepped.clear();
    steps.clear();
    for (std::size_t i = 0; i < slots.size(); ++i) {
      Slot& slot = slots[i];
      while (slot.run == nullptr || !slot.run->goes_on()) {  // a prompt may be over with its first token
        if (slot.run != nullptr) results[slot.prompt] = slot.run->finish();
        slot.run.reset();
        if (next == prompts.size()) break;
        slot.prompt = next++;
        slot.run = std::make_unique<Run>(decoder, static_cast<std::int64_t>(i), prompts[slot.prompt], options,
                                         options.sampling.seed + slot.prompt);
      }
      if (slot.run == nullptr) continue;
      stepped.push_back(&slot);
      steps.push_back(slot.run->step());
    }
    if (steps.empty()) return results;
    const std::span<const float> logits = decoder.step(steps);
    for (std::size_t i = 0; i < stepped.size(); ++i) stepped[i]->run->take(logits.subspan(i * vocabulary, vocabulary));
  }
}

}  // namespace retort::runtime
