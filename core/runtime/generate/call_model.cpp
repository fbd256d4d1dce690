// CallModel of call_model.h: opens the folder, checks that its parts belong together, answers utterances.
#include "runtime/generate/call_model.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

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
        end(contract.end_token(tokenizer)) {}

  model::ModelFolder folder;
  text::Tokenizer tokenizer;
  task::PromptContract contract;
  Decoder decoder;
  TokenId end;
};

CallModel::CallModel(const std::filesystem::path& folder, DecoderOptions options)
    : state_(std::make_unique<State>(folder, options)) {}

CallModel::~CallModel() = default;

Answer CallModel::answer(std::string_view utterance, std::int64_t max_new_tokens) {
  return answer(task::conversation_of(std::string(utterance)), max_new_tokens);
}

Answer CallModel::answer(const task::Conversation& conversation, std::int64_t max_new_tokens) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<TokenId> prompt = state_->contract.prompt(state_->tokenizer, conversation);
  require_rows(prompt, state_->tokenizer, state_->folder.config());
  if (static_cast<std::int64_t>(prompt.size()) > state_->decoder.context()) {
    const bool one = conversation.messages.size() == 1;
    throw std::invalid_argument((one ? "utterance" : "conversation") + std::string(": its prompt has ") +
                                std::to_string(prompt.size()) + " tokens, expected at most " +
                                std::to_string(state_->decoder.context()) + " (the context); shorten it");
  }
  Generation generation = generate_greedy(state_->decoder, prompt, state_->end, max_new_tokens);
  task::ParsedResponse parsed = state_->contract.parse(state_->tokenizer, generation.tokens, conversation);
  std::string response = state_->tokenizer.decode(generation.tokens, true);
  const std::chrono::duration<double, std::milli> elapsed = std::chrono::steady_clock::now() - start;
  return {std::move(parsed), std::move(generation.tokens), std::move(response), elapsed.count()};
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
