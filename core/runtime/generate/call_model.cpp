// CallModel of call_model.h: opens the folder, checks that its parts belong together, answers utterances.
#include "runtime/generate/call_model.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "grammar/grammar_options.h"
#include "host/base/log.h"
#include "runtime/generate/generation.h"
#include "runtime/generate/vocabulary_fit.h"

namespace retort::runtime {
namespace {

task::PromptContract contract_of(const model::ModelFolder& folder) {
  const std::string origin = (folder.path() / "retort.json").string();
  if (!folder.retort().contains("task")) {
    throw std::invalid_argument(origin +
                                ": expected the key \"task\" (format and tools), found none; a model answers "
                                "calls only when packaged by `retort` with its task");
  }
  return task::PromptContract::from_json(folder.retort().at("task"), origin + " /task");
}

void check_parts_fit(const model::ModelFolder& folder, const text::Tokenizer& tokenizer,
                     const task::PromptContract& contract) {
  const std::string path = folder.path().string();
  const VocabularyFit fit = vocabulary_fit(folder.config(), tokenizer, path);
  if (const std::string missing = missing_rows_text(fit, tokenizer); !missing.empty()) host::log_warning(missing);
  for (const std::string& token : contract.special_tokens()) {
    const auto id = tokenizer.find(token);
    if (id && *id < fit.rows) continue;
    throw std::invalid_argument(path + (id ? ": the embedding has no row for" : ": tokenizer.json has no") +
                                " the token '" + token +
                                "', which the task in retort.json needs; the two come from different runs");
  }
}

}  // namespace

struct CallModel::State {
  State(const std::filesystem::path& path, const DecoderOptions& options)
      : folder(path),
        tokenizer(text::Tokenizer::load(path)),
        contract(contract_of(folder)),
        decoder((check_parts_fit(folder, tokenizer, contract), folder), options),
        end(contract.end_token(tokenizer)) {
    if (folder.retort().contains("grammar"))
      wanted.options = grammar::grammar_options(folder.retort().at("grammar"),
                                                (folder.path() / "retort.json").string() + " /grammar");
  }

  model::ModelFolder folder;
  text::Tokenizer tokenizer;
  task::PromptContract contract;
  Decoder decoder;
  TokenId end;
  CallGrammar wanted;
  bool compiled = false;
  std::unique_ptr<grammar::Grammar> grammar;

  void compile();
};

void CallModel::State::compile() {
  if (compiled) return;
  compiled = true;
  grammar.reset();
  if (!wanted.on) return;
  grammar = std::make_unique<grammar::Grammar>(grammar::envelope_program(contract.envelope(tokenizer), wanted.options),
                                               std::make_shared<const grammar::Vocabulary>(tokenizer));
}

CallModel::CallModel(const std::filesystem::path& folder, DecoderOptions options)
    : state_(std::make_unique<State>(folder, options)) {}

CallModel::~CallModel() = default;

Answer CallModel::answer(std::string_view utterance, std::int64_t max_new_tokens) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<TokenId> prompt = state_->contract.prompt(state_->tokenizer, utterance);
  require_rows(prompt, state_->tokenizer, state_->folder.config());
  if (static_cast<std::int64_t>(prompt.size()) > state_->decoder.context()) {
    throw std::invalid_argument("utterance: its prompt has " + std::to_string(prompt.size()) +
                                " tokens, expected at most " + std::to_string(state_->decoder.context()) +
                                " (the context); shorten it");
  }
  grammar::Grammar* limits = grammar();
  if (limits != nullptr && state_->wanted.options.values_from_utterance)
    limits->set_conversation({std::string(utterance)});
  const GenerationOptions options{.ends = {state_->end},
                                  .max_new_tokens = max_new_tokens,
                                  .grammar = limits,
                                  .tokenizer = state_->wanted.forced_runs ? &state_->tokenizer : nullptr,
                                  .allowed_mass = state_->wanted.measure_mass};
  Generation generation = generate(state_->decoder, prompt, options);
  Answer answer;
  answer.cut = generation.tokens.empty() || generation.tokens.back() != state_->end;
  answer.parsed = state_->contract.parse(state_->tokenizer, generation.tokens);
  answer.text = state_->tokenizer.decode(generation.tokens, true);
  answer.forced = generation.forced;
  if (limits != nullptr && state_->wanted.measure_mass) answer.allowed_log_mass = generation.allowed_log_mass;
  answer.tokens = std::move(generation.tokens);
  answer.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return answer;
}

void CallModel::set_grammar(CallGrammar grammar) {
  state_->wanted = std::move(grammar);
  state_->compiled = false;
  state_->compile();
}

const CallGrammar& CallModel::grammar_settings() const {
  return state_->wanted;
}

grammar::Grammar* CallModel::grammar() {
  if (!state_->compiled) {
    try {
      state_->compile();
    } catch (const std::invalid_argument& error) {
      host::log_warning(state_->folder.path().string() + ": answers are not limited to valid calls: " + error.what());
    }
  }
  return state_->grammar.get();
}

const task::PromptContract& CallModel::contract() const {
  return state_->contract;
}
const text::Tokenizer& CallModel::tokenizer() const {
  return state_->tokenizer;
}
const model::ModelFolder& CallModel::folder() const {
  return state_->folder;
}
Decoder& CallModel::decoder() {
  return state_->decoder;
}

}  // namespace retort::runtime
