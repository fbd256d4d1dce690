// CallModel of call_model.h: opens the folder, checks that its parts belong together, answers utterances.
#include "runtime/generate/call_model.h"

#include <algorithm>
#include <chrono>
#include <stdexcept>

#include "grammar/grammar_options.h"
#include "host/base/log.h"
#include "host/plugin/plugin_error.h"
#include "runtime/generate/generation.h"
#include "runtime/generate/package_grammar.h"
#include "runtime/generate/tag_reader.h"
#include "runtime/generate/vocabulary_fit.h"

namespace retort::runtime {
namespace {

task::PromptContract required_contract(const model::ModelFolder& folder) {
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

grammar::GrammarOptions options_for(const grammar::GrammarOptions& options, const std::vector<task::Tool>& tools) {
  std::vector<std::string> names;
  for (const task::Tool& tool : tools) names.push_back(tool.name);
  return grammar::options_for(options, names);
}

/// Natural logarithm, of the model itself: `behind` [V] are the logits behind the prompt, `after` [R−1,V] behind the
/// response's tokens but the last.
double log_probability(std::span<const TokenId> response, std::span<const float> behind, std::span<const float> after) {
  double sum = log_probabilities(behind, response[0], 0).chosen.log_probability;
  for (std::size_t i = 1; i < response.size(); ++i)
    sum +=
        log_probabilities(after.subspan((i - 1) * behind.size(), behind.size()), response[i], 0).chosen.log_probability;
  return sum;
}

/// Whether each token of the response but the first is the one that would be chosen; `after` as above, `state` the
/// grammar's behind the first.
bool is_written(Sampler& sampler, std::span<const TokenId> response, std::span<const float> after,
                grammar::Grammar* grammar, grammar::GrammarState state) {
  const std::size_t vocabulary = after.size() / (response.size() - 1);
  for (std::size_t i = 1; i < response.size(); ++i)
    if (greedy_choice(sampler, after.subspan((i - 1) * vocabulary, vocabulary), grammar, state) != response[i])
      return false;
  return true;
}

}  // namespace

struct CallModel::State {
  State(const std::filesystem::path& path, const DecoderOptions& options)
      : folder(path),
        tokenizer(text::Tokenizer::load(path)),
        contract(required_contract(folder)),
        decoder((check_parts_fit(folder, tokenizer, contract), folder), options),
        end(contract.end_token(tokenizer)) {
    for (const std::string& notice : folder.notices()) host::log_warning(folder.path().string() + ": " + notice);
    wanted.options = package_grammar(folder);
    wanted.tag_weight = contract.tag_weight();
  }

  model::ModelFolder folder;
  text::Tokenizer tokenizer;
  task::PromptContract contract;
  Decoder decoder;
  TokenId end;
  CallGrammar wanted;
  std::shared_ptr<const grammar::Vocabulary> vocabulary;
  /// By tools (null: the task's), the last few; a null grammar is one that could not be made.
  std::vector<std::pair<task::ToolSet, std::unique_ptr<grammar::Grammar>>> grammars;

  grammar::Grammar* compile(const task::ToolSet& tools);
  grammar::Grammar* grammar_for(task::ToolSet tools);
  std::unique_ptr<TagReader> tags;  ///< with the first answer that asks for it
  std::vector<TokenId> prompt_of(const task::Conversation& conversation) const;
  GenerationOptions generation_options(const task::Conversation& conversation, std::int64_t max_new_tokens);
  Generation generate_by_tags(const std::vector<TokenId>& prompt, const task::Conversation& conversation,
                              const GenerationOptions& options);
  std::optional<std::vector<TokenId>> said_by_tags(const std::vector<TokenId>& prompt, std::span<const float> under,
                                                   TokenId call, const task::Conversation& conversation,
                                                   const GenerationOptions& options);
  Answer read(Generation generation, const task::Conversation& conversation, bool limited) const;
};

grammar::Grammar* CallModel::State::compile(const task::ToolSet& tools) {
  constexpr std::size_t most_kept = 8;
  if (grammars.size() >= most_kept) grammars.erase(grammars.begin());
  grammars.emplace_back(tools, nullptr);
  if (vocabulary == nullptr) vocabulary = std::make_shared<const grammar::Vocabulary>(tokenizer);
  const task::CallEnvelope envelope =
      tools == nullptr ? contract.envelope(tokenizer) : contract.envelope(tokenizer, *tools);
  const auto options = tools == nullptr ? wanted.options : options_for(wanted.options, *tools);
  grammars.back().second = std::make_unique<grammar::Grammar>(grammar::envelope_program(envelope, options), vocabulary);
  return grammars.back().second.get();
}

grammar::Grammar* CallModel::State::grammar_for(task::ToolSet tools) {
  if (!wanted.on) return nullptr;
  if (!contract.form().takes_any_tools()) tools = nullptr;
  for (const auto& [known, grammar] : grammars)
    if (known == tools) return grammar.get();
  try {
    return compile(tools);
  } catch (const std::invalid_argument& error) {
    host::log_warning(folder.path().string() + ": answers are not limited to valid calls: " + error.what());
    return nullptr;
  }
}

CallModel::CallModel(const std::filesystem::path& folder, DecoderOptions options)
    : state_(std::make_unique<State>(folder, options)) {}

CallModel::~CallModel() = default;

Answer CallModel::answer(std::string_view utterance, std::int64_t max_new_tokens) {
  return answer(task::conversation_of(std::string(utterance)), max_new_tokens);
}

std::vector<TokenId> CallModel::State::prompt_of(const task::Conversation& conversation) const {
  std::vector<TokenId> prompt = contract.prompt(tokenizer, conversation);
  require_rows(prompt, tokenizer, folder.config());
  if (static_cast<std::int64_t>(prompt.size()) <= decoder.context()) return prompt;
  const bool one = conversation.messages.size() == 1;
  throw std::invalid_argument(
      (one ? "utterance" : "conversation") + std::string(": its prompt has ") + std::to_string(prompt.size()) +
      " tokens, expected at most " + std::to_string(decoder.context()) + " (the context); shorten it" +
      (contract.form().takes_any_tools()
           ? " or give fewer tools: it shows " + std::to_string(contract.tools_of(conversation).size())
           : ""));
}

GenerationOptions CallModel::State::generation_options(const task::Conversation& conversation,
                                                       std::int64_t max_new_tokens) {
  grammar::Grammar* limits = grammar_for(conversation.tools);
  if (limits != nullptr && wanted.options.values_from_utterance)
    limits->set_conversation(said_in(contract.seen(conversation)));
  return {.ends = {end},
          .max_new_tokens = max_new_tokens,
          .token = [](TokenId) { return !host::stop_requested(); },
          .grammar = limits,
          .tokenizer = wanted.forced_runs ? &tokenizer : nullptr,
          .allowed_mass = wanted.measure_mass};
}

/// The answer of the tags under the prompt, as the form writes it; nothing where the model may not answer so, or not at
/// that length.
std::optional<std::vector<TokenId>> CallModel::State::said_by_tags(const std::vector<TokenId>& prompt,
                                                                   std::span<const float> under, TokenId call,
                                                                   const task::Conversation& conversation,
                                                                   const GenerationOptions& options) {
  if (tags == nullptr) tags = std::make_unique<TagReader>(contract.envelope(tokenizer), tokenizer);
  const auto tagged = tags->response(prompt, under, call);
  if (!tagged) return std::nullopt;
  const task::ParsedResponse parsed = contract.parse(tokenizer, *tagged, conversation);
  const auto* calls = std::get_if<std::vector<task::Call>>(&parsed);
  if (calls == nullptr) return std::nullopt;
  task::Message answer{.role = task::Role::assistant};
  for (const task::Call& one : *calls) answer.tool_calls.push_back({"", one});
  std::vector<TokenId> said = contract.response(tokenizer, conversation, answer);
  const auto tokens = static_cast<std::int64_t>(said.size());
  if (tokens > options.max_new_tokens || static_cast<std::int64_t>(prompt.size()) + tokens > decoder.context() + 1)
    return std::nullopt;
  if (options.grammar == nullptr) return said;
  grammar::GrammarState state = options.grammar->begin();
  for (const TokenId token : said)
    if (!options.grammar->advance(state, token)) return std::nullopt;
  return said;
}

Generation CallModel::State::generate_by_tags(const std::vector<TokenId>& prompt,
                                              const task::Conversation& conversation,
                                              const GenerationOptions& options) {
  decoder.reset();
  const std::vector<float> logits = decoder.forward_all(prompt);
  const std::span<const float> under(logits), behind = under.last(logits.size() / prompt.size());
  grammar::GrammarState state;
  if (options.grammar != nullptr) state = options.grammar->begin();
  Sampler sampler(options.sampling);
  const TokenId call = greedy_choice(sampler, behind, options.grammar, state);
  const auto said = said_by_tags(prompt, under, call, conversation, options);
  if (!said) return generate_behind(decoder, prompt, behind, options);
  // All of what the tags say goes through the model at once. Where it is what the model would write, it is the answer.
  const std::vector<float> after_said = decoder.forward_all(std::span(*said).first(said->size() - 1));
  if (!options.allowed_mass && is_written(sampler, *said, after_said, options.grammar, std::move(state)))
    return {.tokens = *said};
  decoder.fork(0, 0, static_cast<std::int64_t>(prompt.size()));
  Generation written = generate_behind(decoder, prompt, behind, options);
  if (written.tokens == *said || host::stop_requested()) return written;
  const auto tags_of_written = tags->log_probability(prompt, under, written.tokens);
  const auto tags_of_said = tags->log_probability(prompt, under, *said);
  if (!tags_of_written || !tags_of_said) return written;
  if (written.tokens.back() == end) {  // else it is as long as may be, and nothing is to be said for it
    decoder.fork(0, 0, static_cast<std::int64_t>(prompt.size()));
    const std::vector<float> after_written =
        decoder.forward_all(std::span(written.tokens).first(written.tokens.size() - 1));
    if (log_probability(*said, behind, after_said) + wanted.tag_weight * *tags_of_said <=
        log_probability(written.tokens, behind, after_written) + wanted.tag_weight * *tags_of_written)
      return written;
  }
  written.tokens = *said;
  written.forced = 0;
  return written;
}

Answer CallModel::State::read(Generation generation, const task::Conversation& conversation, bool limited) const {
  Answer answer;
  answer.cut = generation.tokens.empty() || generation.tokens.back() != end;
  const auto& enums = wanted.options.enums;
  answer.parsed = enums.empty() ? contract.parse(tokenizer, generation.tokens, conversation)
                                : contract.parse(tokenizer, generation.tokens, conversation,
                                                 task::with_enums(contract.tools_of(conversation), enums));
  answer.text = tokenizer.decode(generation.tokens, true);
  answer.forced = generation.forced;
  if (limited && wanted.measure_mass) answer.allowed_log_mass = generation.allowed_log_mass;
  answer.tokens = std::move(generation.tokens);
  return answer;
}

Answer CallModel::answer(const task::Conversation& conversation, std::int64_t max_new_tokens) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<TokenId> prompt = state_->prompt_of(conversation);
  const GenerationOptions options = state_->generation_options(conversation, max_new_tokens);
  Generation generation = state_->wanted.tag_weight > 0 ? state_->generate_by_tags(prompt, conversation, options)
                                                        : generate(state_->decoder, prompt, options);
  Answer answer = state_->read(std::move(generation), conversation, options.grammar != nullptr);
  answer.milliseconds = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return answer;
}

std::vector<Answer> CallModel::sample(const task::Conversation& conversation, std::int64_t count,
                                      const SamplingOptions& sampling, std::int64_t max_new_tokens) {
  const auto start = std::chrono::steady_clock::now();
  const std::vector<std::vector<TokenId>> prompts(static_cast<std::size_t>(count), state_->prompt_of(conversation));
  GenerationOptions options = state_->generation_options(conversation, max_new_tokens);
  options.sampling = sampling;
  std::vector<Answer> answers;
  for (Generation& generation : generate_batch(state_->decoder, prompts, options))
    answers.push_back(state_->read(std::move(generation), conversation, options.grammar != nullptr));
  const double all = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  for (Answer& answer : answers) answer.milliseconds = all;
  return answers;
}

std::vector<float> CallModel::logits_of(const task::Conversation& conversation, std::span<const TokenId> tokens) {
  std::vector<float> found;
  std::span<const float> logits = state_->decoder.prompt(state_->prompt_of(conversation));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    found.push_back(logits[static_cast<std::size_t>(tokens[i])]);
    if (i + 1 < tokens.size()) logits = state_->decoder.forward(tokens.subspan(i, 1));
  }
  return found;
}

void CallModel::set_grammar(CallGrammar grammar) {
  state_->wanted = std::move(grammar);
  state_->grammars.clear();
  if (state_->wanted.on) state_->compile(nullptr);
}

const CallGrammar& CallModel::grammar_settings() const {
  return state_->wanted;
}

grammar::Grammar* CallModel::grammar() {
  return state_->grammar_for(nullptr);
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
