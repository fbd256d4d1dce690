// See chat_model.h.
#include "runtime/generate/chat_model.h"

#include <optional>
#include <stdexcept>
#include <utility>

#include "grammar/program_builder.h"
#include "host/base/files.h"
#include "host/base/log.h"
#include "model/generation_config.h"
#include "model/model_folder.h"
#include "runtime/generate/vocabulary_fit.h"
#include "task/chat_template.h"
#include "task/prompt_contract.h"

namespace retort::runtime {
namespace {

using Json = nlohmann::json;

std::optional<task::PromptContract> contract_of(const model::ModelFolder& folder) {
  if (!folder.retort().contains("task")) return std::nullopt;
  return task::PromptContract::from_json(folder.retort().at("task"),
                                         (folder.path() / "retort.json").string() + " /task");
}

bool has_template(const std::filesystem::path& folder) {
  if (std::filesystem::exists(folder / "chat_template.jinja")) return true;
  if (!std::filesystem::exists(folder / "tokenizer_config.json")) return false;
  return Json::parse(host::read_file(folder / "tokenizer_config.json"), nullptr, false).contains("chat_template");
}

const model::ModelFolder& checked(const model::ModelFolder& folder, const text::Tokenizer& tokenizer) {
  const VocabularyFit fit = vocabulary_fit(folder.config(), tokenizer, folder.path().string());
  if (const std::string missing = missing_rows_text(fit, tokenizer); !missing.empty()) host::log_warning(missing);
  return folder;
}

/// The one thing that a task's prompt forms ask.
std::string utterance_of(const nlohmann::ordered_json& messages, const std::string& form) {
  const std::string expected = "/messages: a model of the form \"" + form + "\" answers one user message";
  if (!messages.is_array() || messages.size() != 1)
    throw std::invalid_argument(
        expected + ", found " +
        (messages.is_array() ? std::to_string(messages.size()) + " messages" : messages.dump()));
  const nlohmann::ordered_json& message = messages.front();
  if (!message.is_object() || message.value("role", "") != "user" || !message.contains("content") ||
      !message.at("content").is_string())
    throw std::invalid_argument(expected + " with a text as \"content\", found " + message.dump());
  return message.at("content").get<std::string>();
}

}  // namespace

struct ChatModel::State {
  State(const std::filesystem::path& path, const DecoderOptions& options)
      : folder(path),
        tokenizer(text::Tokenizer::load(path)),
        contract(contract_of(folder)),
        decoder(checked(folder, tokenizer), options) {
    if (contract) {
      form = contract->format();
      ends = {contract->end_token(tokenizer)};
      return;
    }
    for (const std::int64_t token : model::end_tokens(folder)) ends.push_back(static_cast<TokenId>(token));
    form = has_template(path) ? "chat_template" : "text";
    if (form == "chat_template") chat.emplace(task::ChatTemplate::load(path));
  }

  model::ModelFolder folder;
  text::Tokenizer tokenizer;
  std::optional<task::PromptContract> contract;
  std::optional<task::ChatTemplate> chat;
  Decoder decoder;
  std::string form;
  std::vector<TokenId> ends;
  std::shared_ptr<const grammar::Vocabulary> vocabulary;
  std::shared_ptr<grammar::Grammar> grammar;
  nlohmann::ordered_json grammar_tools;  // that `grammar` is for
};

ChatModel::ChatModel(const std::filesystem::path& folder, DecoderOptions options)
    : state_(std::make_unique<State>(folder, options)) {}

ChatModel::~ChatModel() = default;

const std::string& ChatModel::form() const {
  return state_->form;
}
const std::vector<TokenId>& ChatModel::ends() const {
  return state_->ends;
}
bool ChatModel::shows_special_tokens() const {
  return state_->contract.has_value();
}
const text::Tokenizer& ChatModel::tokenizer() const {
  return state_->tokenizer;
}
Decoder& ChatModel::decoder() {
  return state_->decoder;
}
const Decoder& ChatModel::decoder() const {
  return state_->decoder;
}

std::vector<TokenId> ChatModel::prompt(const nlohmann::ordered_json& messages,
                                       const nlohmann::ordered_json& tools) const {
  const State& state = *state_;
  if (state.form == "text")
    throw std::invalid_argument(
        "/messages: this model has neither a task nor a chat template; give it a \"prompt\" instead");
  if (state.chat) {
    if (!messages.is_array()) throw std::invalid_argument("/messages: expected an array, found " + messages.dump());
    // The template writes the beginning itself.
    return continuation(state.chat->render({.messages = messages, .tools = tools, .add_generation_prompt = true}));
  }
  if (!tools.is_null() && Json(tools) != task::tools_to_json(state.contract->tools()))
    throw std::invalid_argument(
        "/tools: this model was trained for the tools of its task, found others; leave them out");
  const std::vector<TokenId> tokens = state.contract->prompt(state.tokenizer, utterance_of(messages, state.form));
  require_rows(tokens, state.tokenizer, state.folder.config());
  return tokens;
}

std::shared_ptr<grammar::Grammar> ChatModel::grammar(const nlohmann::ordered_json& tools) {
  State& state = *state_;
  if (state.grammar != nullptr && state.grammar_tools == tools) return state.grammar;
  if (!state.contract)
    throw std::invalid_argument("a call grammar: expected a model with a task, found one of the form \"" + state.form +
                                "\"");
  if (state.vocabulary == nullptr) state.vocabulary = std::make_shared<const grammar::Vocabulary>(state.tokenizer);
  state.grammar = std::make_shared<grammar::Grammar>(
      grammar::envelope_program(state.contract->envelope(state.tokenizer)), state.vocabulary);
  state.grammar_tools = tools;
  return state.grammar;
}

std::vector<TokenId> ChatModel::prompt(std::string_view text) const {
  std::vector<TokenId> tokens = continuation(text);
  const auto begin = state_->tokenizer.begin_token();
  if (begin && (tokens.empty() || tokens.front() != *begin)) tokens.insert(tokens.begin(), *begin);
  return tokens;
}

std::vector<TokenId> ChatModel::continuation(std::string_view text) const {
  std::vector<TokenId> tokens = state_->tokenizer.encode(text, text::Tokenizer::Special::parse);
  require_rows(tokens, state_->tokenizer, state_->folder.config());
  return tokens;
}

Json ChatModel::message(const std::vector<TokenId>& tokens, const std::string& text, std::string& malformed) const {
  malformed.clear();
  Json message = {{"role", "assistant"}, {"content", text}};
  if (!state_->contract) return message;
  const task::ParsedResponse parsed = state_->contract->parse(state_->tokenizer, tokens);
  if (const auto* wrong = std::get_if<task::Malformed>(&parsed)) {
    malformed = wrong->reason;
    return message;
  }
  message["content"] = nullptr;
  Json calls = Json::array();
  for (const task::Call& call : std::get<std::vector<task::Call>>(parsed))
    calls.push_back({{"id", "call_" + std::to_string(calls.size())},
                     {"type", "function"},
                     {"function", {{"name", call.name}, {"arguments", call.arguments.dump()}}}});
  if (!calls.empty()) message["tool_calls"] = std::move(calls);
  return message;
}

Json ChatModel::description() const {
  const model::ModelConfig& config = state_->folder.config();
  return {{"architecture", config.architecture},
          {"parameters", config.parameters()},
          {"layers", config.layers},
          {"hidden_size", config.hidden_size},
          {"vocabulary", config.vocabulary_size},
          {"tokenizer", host::sha256(state_->tokenizer.to_json())},
          {"context", state_->decoder.context()},
          {"prompt", state_->form}};
}

}  // namespace retort::runtime
