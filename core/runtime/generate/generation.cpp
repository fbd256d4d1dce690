// See generation.h.
#include "runtime/generate/generation.h"

#include <algorithm>
#include <chrono>
#include <memory>

#include "runtime/generate/allowed_tokens.h"

namespace retort::runtime {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

/// A token and, where the grammar was asked for it, the mask that it was chosen under.
struct Choice {
  TokenId token = -1;
  const grammar::TokenMask* allowed = nullptr;
};

/// `state` goes on behind the token. `masked`: ask for the mask in any case.
Choice choose_token(Sampler& sampler, std::span<const float> logits, std::span<const TokenId> seen,
                    grammar::Grammar* grammar, grammar::GrammarState& state, bool masked) {
  Choice choice;
  if (grammar == nullptr || (sampler.plain() && !masked)) {
    // What the model would say anyhow is most often allowed, and reading one token is far less than a mask.
    choice.token = sampler.next(logits, seen);
    if (grammar == nullptr || grammar->advance(state, choice.token)) return choice;
  }
  choice.allowed = &grammar->mask(state);
  choice.token = sampler.next(logits, seen, choice.allowed);
  grammar->advance(state, choice.token);
  return choice;
}

/// One prompt being continued in one sequence of the decoder, which has been fed it.
class Run {
 public:
  /// `logits` [V] behind the prompt.
  Run(const Decoder& decoder, std::int64_t sequence, std::span<const TokenId> prompt, const GenerationOptions& options,
      std::span<const float> logits, double prefill_ms)
      : options_(options), sequence_(sequence), prompt_size_(prompt.size()), sampler_(options.sampling) {
    // The last token is never fed back, so one more fits than the cache has room for.
    const std::int64_t room = decoder.context() - static_cast<std::int64_t>(prompt.size()) + 1;
    most_ = static_cast<std::size_t>(std::max<std::int64_t>(0, std::min(options.max_new_tokens, room)));
    tokens_.reserve(prompt.size() + most_);
    tokens_.assign(prompt.begin(), prompt.end());
    fed_ = tokens_.size();
    if (options.log_probabilities > 0) result_.log_probabilities.reserve(most_);
    result_.prefill_ms = prefill_ms;
    start_ = Clock::now();
    goes_on_ = most_ > 0;
    if (goes_on_ && options.grammar != nullptr) {
      state_ = options.grammar->begin();
      force();
    }
    if (goes_on_ && fed_ == tokens_.size()) choose(logits);
  }

  bool goes_on() const { return goes_on_; }
  /// The next token to feed, of which take() gets the logits.
  SequenceStep step() const { return {sequence_, tokens_[fed_]}; }
  /// All tokens to feed; take_all() gets the logits of the last one.
  std::span<const TokenId> steps() const { return std::span(tokens_).subspan(fed_); }

  /// `logits` [V] that step() gave. Nothing is chosen while forced tokens are left to feed.
  void take(std::span<const float> logits) {
    ++fed_;
    if (fed_ == tokens_.size()) choose(logits);
  }
  void take_all(std::span<const float> logits) {
    fed_ = tokens_.size();
    choose(logits);
  }

  Generation finish() {
    result_.tokens.assign(tokens_.begin() + static_cast<std::ptrdiff_t>(prompt_size_), tokens_.end());
    result_.decode_ms = milliseconds_since(start_);
    return std::move(result_);
  }

 private:
  void choose(std::span<const float> logits) {
    const auto [token, allowed] =
        choose_token(sampler_, logits, tokens_, options_.grammar, state_, options_.allowed_mass);
    if (options_.allowed_mass && allowed != nullptr) result_.allowed_log_mass += allowed_log_mass(logits, *allowed);
    if (options_.log_probabilities > 0)
      result_.log_probabilities.push_back(log_probabilities(logits, token, options_.log_probabilities));
    append(token);
    if (options_.grammar != nullptr && goes_on_) force();
  }

  /// Appends what the grammar leaves no choice about.
  void force() {
    if (options_.tokenizer == nullptr || options_.log_probabilities > 0) return;
    for (const TokenId token : options_.grammar->forced(state_, *options_.tokenizer)) {
      if (!goes_on_) return;
      options_.grammar->advance(state_, token);
      append(token);
      ++result_.forced;
    }
  }

  void append(TokenId token) {
    tokens_.push_back(token);
    const bool ended = std::find(options_.ends.begin(), options_.ends.end(), token) != options_.ends.end();
    goes_on_ = !ended && tokens_.size() - prompt_size_ < most_;
    if (options_.token && !options_.token(token)) goes_on_ = false;
  }

  const GenerationOptions& options_;
  std::int64_t sequence_;
  std::size_t prompt_size_, most_ = 0;
  Sampler sampler_;
  std::vector<TokenId> tokens_;  // prompt and answer
  std::size_t fed_ = 0;          // of them
  grammar::GrammarState state_;
  Generation result_;
  Clock::time_point start_;
  bool goes_on_ = false;
};

/// Requests in the sequences of a decoder.
class Batch {
 public:
  Batch(Decoder& decoder, std::span<const GenerationRequest> requests) : decoder_(decoder), requests_(requests) {
    slots_.resize(static_cast<std::size_t>(decoder.sequences()));
  }

  template <class Finished>
  void run(const Finished& finished) {
    const auto vocabulary = static_cast<std::size_t>(decoder_.config().vocabulary_size);
    while (true) {
      std::vector<Run*> stepped;
      std::vector<SequenceStep> steps;
      for (std::size_t i = 0; i < slots_.size(); ++i) {
        fill(i, finished);
        if (slots_[i].run == nullptr) continue;
        stepped.push_back(slots_[i].run.get());
        steps.push_back(slots_[i].run->step());
      }
      if (steps.empty()) return;
      const std::span<const float> logits = decoder_.step(steps);
      for (std::size_t i = 0; i < stepped.size(); ++i) stepped[i]->take(logits.subspan(i * vocabulary, vocabulary));
    }
  }

 private:
  struct Slot {
    std::size_t request = 0;   // whose prompt the sequence begins with
    bool begun = false;        // if any
    std::unique_ptr<Run> run;  // null: free
  };

  /// A run that goes on, if there is one to be had: some are over with their first token.
  template <class Finished>
  void fill(std::size_t index, const Finished& finished) {
    Slot& slot = slots_[index];
    while (slot.run == nullptr || !slot.run->goes_on()) {
      if (slot.run != nullptr) {
        Generation result = slot.run->finish();
        slot.run.reset();
        finished(slot.request, std::move(result));
      }
      if (next_ == requests_.size()) return;
      begin(index, next_++);
    }
  }

  void begin(std::size_t index, std::size_t request) {
    const std::vector<TokenId>& prompt = requests_[request].prompt;
    const auto sequence = static_cast<std::int64_t>(index);
    const Clock::time_point start = Clock::now();
    if (const Slot* source = begun_with_the_last(prompt)) {
      decoder_.fork(source - slots_.data(), sequence, static_cast<std::int64_t>(prompt.size()));
    } else {
      const std::span<const float> logits = decoder_.prompt(prompt, sequence);
      last_logits_.assign(logits.begin(), logits.end());
    }
    last_ = request;
    Slot& slot = slots_[index];
    slot.request = request;
    slot.begun = true;
    slot.run = std::make_unique<Run>(decoder_, sequence, prompt, requests_[request].options, last_logits_,
                                     milliseconds_since(start));
  }

  /// A sequence that begins with the last prompt that was begun, where that is `prompt` once more; else null.
  const Slot* begun_with_the_last(const std::vector<TokenId>& prompt) const {
    if (last_logits_.empty() || requests_[last_].prompt != prompt) return nullptr;
    const auto found = std::find_if(slots_.begin(), slots_.end(), [&](const Slot& slot) {
      return slot.begun && requests_[slot.request].prompt == prompt;
    });
    return found == slots_.end() ? nullptr : &*found;
  }

  Decoder& decoder_;
  std::span<const GenerationRequest> requests_;
  std::vector<Slot> slots_;
  std::size_t next_ = 0, last_ = 0;  // requests
  std::vector<float> last_logits_;   // behind the prompt of last_
};

}  // namespace

Generation generate(Decoder& decoder, std::span<const TokenId> prompt, const GenerationOptions& options) {
  const Clock::time_point start = Clock::now();
  const std::span<const float> logits = decoder.prompt(prompt, 0);
  const double prefill_ms = milliseconds_since(start);
  Generation result = generate_behind(decoder, prompt, logits, options);
  result.prefill_ms = prefill_ms;
  return result;
}

Generation generate_behind(Decoder& decoder, std::span<const TokenId> prompt, std::span<const float> logits,
                           const GenerationOptions& options) {
  Run run(decoder, 0, prompt, options, logits, 0);
  while (run.goes_on()) run.take_all(decoder.forward(run.steps()));
  return run.finish();
}

TokenId greedy_choice(Sampler& sampler, std::span<const float> logits, grammar::Grammar* grammar,
                      grammar::GrammarState& state) {
  return choose_token(sampler, logits, {}, grammar, state, false).token;
}

Generation generate_greedy(Decoder& decoder, std::span<const TokenId> prompt, TokenId end,
                           std::int64_t max_new_tokens) {
  return generate(decoder, prompt, {.ends = {end}, .max_new_tokens = max_new_tokens});
}

void generate_each(Decoder& decoder, std::span<const GenerationRequest> requests,
                   const std::function<void(std::size_t index, Generation result)>& finished) {
  Batch(decoder, requests).run(finished);
}

std::vector<Generation> generate_batch(Decoder& decoder, std::span<const std::vector<TokenId>> prompts,
                                       const GenerationOptions& options) {
  std::vector<GenerationRequest> requests;
  for (const std::vector<TokenId>& prompt : prompts) {
    requests.push_back({prompt, options});
    requests.back().options.sampling.seed += requests.size() - 1;
    requests.back().options.token = nullptr;
  }
  std::vector<Generation> results(prompts.size());
  generate_each(decoder, requests, [&](std::size_t index, Generation result) { results[index] = std::move(result); });
  return results;
}

}  // namespace retort::runtime
