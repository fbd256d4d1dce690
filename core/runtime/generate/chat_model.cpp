// See chat_model.h.
#include "runtime/generate/chat_model.h"

#include <optional>
#include <stdexcept>
#include <utility>

#include "grammar/grammar_options.h"
#include "grammar/program_builder.h"
#include "host/base/files.h"
#include "host/base/log.h"
#include "model/generation_config.h"
#include "model/model_folder.h"
#include "runtime/generate/package_grammar.h"
#include "runtime/generate/vocabulary_fit.h"
#include "task/chat_row.h"
#include "task/chat_template.h"
#include "task/prompt_contract.h"
#include "task/template_form.h"

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

/// What a task's prompt form is asked. Throws beginning with the place in the request.
task::Conversation conversation_of(const nlohmann::ordered_json& messages, const nlohmann::ordered_json& tools,
                                   const task::PromptContract& contract) {
  const bool any_tools = contract.form().takes_any_tools();
  if (!tools.is_null() && !any_tools && Json(tools) != task::tools_to_json(contract.tools()))
    throw std::invalid_argument(
        "/tools: this model was trained for the tools of its task, found others; leave them out");
  task::ReadingNotes notes;
  task::Conversation conversation;
  try {
    conversation.messages = task::messages_from_json(Json(messages), "request", "/messages", notes);
    if (!tools.is_null() && any_tools) conversation.tools = task::tool_set_from_json(Json(tools), "/tools", notes);
  } catch (const std::invalid_argument& error) {
    const std::string reason = error.what();
    throw std::invalid_argument(reason.starts_with("request: ") ? reason.substr(9) : reason);
  }
  return conversation;
}

std::vector<TokenId> prompt_of(const task::PromptContract& contract, const text::Tokenizer& tokenizer,
                               const task::Conversation& conversation) {
  try {
    return contract.prompt(tokenizer, conversation);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("/messages: " + std::string(error.what()));
  }
}

/// Where any tools may come, those of the prompt are not known here: calls are not held against schemas then.
task::ParsedResponse parsed_answer(const task::PromptContract& contract, const text::Tokenizer& tokenizer,
                                   const std::vector<TokenId>& tokens, const grammar::GrammarOptions& options) {
  if (!contract.form().takes_any_tools())
    return options.enums.empty()
               ? contract.parse(tokenizer, tokens)
               : contract.parse(tokenizer, tokens, {}, task::with_enums(contract.tools(), options.enums));
  std::vector<TokenId> body = tokens;
  if (!body.empty() && body.back() == contract.end_token(tokenizer)) body.pop_back();
  return contract.form().parse(tokenizer, body);
}

}  // namespace

struct ChatModel::State {
  State(const std::filesystem::path& path, const DecoderOptions& options)
      : folder(path),
        tokenizer(text::Tokenizer::load(path)),
        contract(contract_of(folder)),
        decoder(checked(folder, tokenizer), options),
        wanted(package_grammar(folder)) {
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
  grammar::GrammarOptions wanted;
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
  const std::vector<TokenId> tokens =
      prompt_of(*state.contract, state.tokenizer, conversation_of(messages, tools, *state.contract));
  require_rows(tokens, state.tokenizer, state.folder.config());
  return tokens;
}

void ChatModel::compile(const nlohmann::ordered_json& tools) {
  State& state = *state_;
  if (!state.contract && !state.chat)
    throw std::invalid_argument(
        "a call grammar: expected a model with a task or a chat template, found one of the form \"" + state.form +
        "\"");
  if (state.vocabulary == nullptr) state.vocabulary = std::make_shared<const grammar::Vocabulary>(state.tokenizer);
  task::CallEnvelope envelope;
  grammar::GrammarOptions options = state.wanted;
  if (state.contract && (tools.is_null() || !state.contract->form().takes_any_tools())) {
    envelope = state.contract->envelope(state.tokenizer);
  } else {
    const auto known = task::tools_from_json(Json(tools.is_null() ? Json::array() : Json(tools)), "/tools");
    envelope = state.contract ? state.contract->envelope(state.tokenizer, known)
                              : task::template_form(*state.chat)->envelope(state.tokenizer, known);
    if (!state.contract) envelope.style.order = task::KeyOrder::any;  // who knows what it was trained on
    std::vector<std::string> names;
    for (const task::Tool& tool : known) names.push_back(tool.name);
    options = grammar::options_for(std::move(options), names);
  }
  state.grammar = std::make_shared<grammar::Grammar>(grammar::envelope_program(envelope, options), state.vocabulary);
  state.grammar_tools = tools;
}

std::shared_ptr<grammar::Grammar> ChatModel::grammar(const nlohmann::ordered_json& tools,
                                                     const nlohmann::ordered_json& messages) {
  State& state = *state_;
  if (state.grammar == nullptr || state.grammar_tools != tools) compile(tools);
  if (!state.wanted.values_from_utterance || !state.contract || messages.is_null()) return state.grammar;
  // Answers to several conversations are sampled together, so each has a grammar of its own.
  auto own = std::make_shared<grammar::Grammar>(state.grammar->shared_program(), state.vocabulary);
  own->set_conversation(said_in(state.contract->seen(conversation_of(messages, tools, *state.contract))));
  return own;
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
  const task::ParsedResponse parsed = parsed_answer(*state_->contract, state_->tokenizer, tokens, state_->wanted);
  if (const auto* wrong = std::get_if<task::Malformed>(&parsed)) {
    malformed = wrong->reason;
    return message;
  }
  const auto& parsed_calls = std::get<std::vector<task::Call>>(parsed);
  if (parsed_calls.empty() && state_->contract->form().takes_any_tools()) return message;
  message["content"] = nullptr;
  Json calls = Json::array();
  for (const task::Call& call : parsed_calls)
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
