// A packaged model answering calls: folder → tokenizer + prompt contract + decoder → conversation in, calls out. This
// is what `retort call`, `retort eval` and the evaluate stage use; measure/evaluation.h scores it.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "grammar/grammar.h"
#include "grammar/program_builder.h"
#include "runtime/decoder/decoder.h"
#include "runtime/generate/sampling.h"
#include "task/prompt_contract.h"

namespace retort::runtime {

struct Answer {
  /// Malformed under a grammar only where the answer was cut, or, with GrammarOptions::ask_back, where a required
  /// argument is missing: the reason names what to ask for.
  task::ParsedResponse parsed;
  bool cut = false;             ///< it ended at max_new_tokens, at the end of the context or as the user stopped it
  std::vector<TokenId> tokens;  ///< the raw response
  std::string text;             ///< the raw response as text, special tokens included
  std::int64_t forced = 0;      ///< tokens that the grammar left no choice about
  /// With CallGrammar::measure_mass: the natural logarithm of the probability that the model gave, at every choice, to
  /// what the grammar allows. Near 0: the model knows the form; far below: it is outside of its training.
  std::optional<double> allowed_log_mass;
  double milliseconds = 0;  ///< tokenisation + prefill + decode + parse
};

/// How answers are limited to what the task allows.
struct CallGrammar {
  bool on = true;
  grammar::GrammarOptions options;
  bool forced_runs = true;    ///< feed what the grammar leaves no choice about in one go
  bool measure_mass = false;  ///< Answer::allowed_log_mass; one softmax a token
  /// How much the tags that the model says under the prompt's tokens count beside the probability of the answer that it
  /// writes. Above 0 answer() reads a second answer off them (tag_reader.h) and gives the one whose ln p(answer) +
  /// tag_weight · ln p(its tags) is higher, where both call the same one tool. PromptContract::tag_weight() at first;
  /// 0: what is written stands.
  double tag_weight = 0;
};

/// Used by one thread at a time.
class CallModel {
 public:
  /// `folder` needs config.json, weights, tokenizer.json and retort.json with "task". Errors name what is missing.
  CallModel(const std::filesystem::path& folder, DecoderOptions options);
  ~CallModel();
  Answer answer(std::string_view utterance, std::int64_t max_new_tokens = 256);
  /// With earlier turns and, where the form takes any, tools of its own. Throws std::invalid_argument for a
  /// conversation that the form cannot show, and for one that the context does not hold: nothing of it is ever cut
  /// away.
  Answer answer(const task::Conversation& conversation, std::int64_t max_new_tokens = 256);
  /// `count` answers, drawn independently as `sampling` says, answer i with its seed + i; decoded together where the
  /// decoder holds several sequences. Their `milliseconds` are those of all together. Throws as answer().
  std::vector<Answer> sample(const task::Conversation& conversation, std::int64_t count,
                             const SamplingOptions& sampling, std::int64_t max_new_tokens = 256);
  /// The logit of each of `tokens` behind the conversation's prompt and the tokens before it, fed one by one: what
  /// decoding computes, whatever was chosen. Throws as answer(), and as Decoder::forward where they do not fit.
  std::vector<float> logits_of(const task::Conversation& conversation, std::span<const TokenId> tokens);
  /// On by default with the options in retort.json ("grammar", core/grammar/grammar_options.h), compiled with the first
  /// answer. Throws std::invalid_argument for options that do not fit the tools. A task whose schemas have no grammar
  /// answers without one, after a warning.
  void set_grammar(CallGrammar grammar);
  const CallGrammar& grammar_settings() const;
  /// Of the task's tools; null where it is off.
  grammar::Grammar* grammar();
  const task::PromptContract& contract() const;
  const text::Tokenizer& tokenizer() const;
  const model::ModelFolder& folder() const;
  Decoder& decoder();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace retort::runtime
