// retort generate MODEL PROMPT, or MODEL --chat TEXT
#include <cmath>
#include <iostream>

#include "grammar/grammar_options.h"
#include "grammar/program_builder.h"
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/base/number_format.h"
#include "host/plugin/plugin_error.h"
#include "model_options.h"
#include "runtime/generate/package_grammar.h"
#include "runtime/generate/text_model.h"
#include "task/chat_row.h"
#include "task/chat_template.h"
#include "task/prompt_contract.h"
#include "task/template_form.h"

namespace retort::apps {

namespace po = boost::program_options;

namespace {

void add_sampling_options(po::options_description& options) {
  options.add_options()("greedy", po::bool_switch(), "always the likeliest token; the same as --temperature 0")(
      "temperature", po::value<double>()->default_value(0.8, "0.8")->value_name("T"), "0 = greedy")(
      "top-k", po::value<std::int64_t>()->default_value(40)->value_name("K"), "draw from the K likeliest; 0 = all")(
      "top-p", po::value<double>()->default_value(0.95, "0.95")->value_name("P"),
      "draw from the fewest that together have probability P")(
      "min-p", po::value<double>()->default_value(0.05, "0.05")->value_name("P"),
      "draw from those at least P times as likely as the likeliest")(
      "repetition-penalty", po::value<double>()->default_value(1)->value_name("R"), "1 = off")(
      "seed", po::value<std::uint64_t>()->default_value(0)->value_name("N"), "of the draws")(
      "logit-bias", po::value<std::vector<std::string>>()->composing()->value_name("ID=B"),
      "add B to the logit of token ID; -inf forbids it; may be repeated")(
      "stop", po::value<std::vector<std::string>>()->composing()->value_name("TEXT"),
      "end before TEXT, which is not printed; may be repeated")(
      "top-logprobs", po::value<std::int64_t>()->default_value(0)->value_name("N"),
      "with --json: the natural log-probability of each token and of the N likeliest");
}

/// "ID=B".
std::pair<runtime::TokenId, float> bias_of(const std::string& text) {
  const std::size_t sign = text.find('=');
  try {
    std::size_t id_end = 0, bias_end = 0;
    const std::string id = text.substr(0, sign), bias = sign == std::string::npos ? "" : text.substr(sign + 1);
    const int token = std::stoi(id, &id_end);
    const float value = std::stof(bias, &bias_end);
    if (id_end == id.size() && bias_end == bias.size() && !std::isnan(value) && value < HUGE_VALF)
      return {token, value};
  } catch (const std::logic_error&) {  // not a number, or out of range: the message below
  }
  throw std::invalid_argument("--logit-bias: expected a token's id, = and a number or -inf, as in 42=-1.5; found \"" +
                              text + "\"");
}

runtime::SamplingOptions sampling_of(const po::variables_map& variables) {
  runtime::SamplingOptions sampling;
  sampling.temperature = variables["greedy"].as<bool>() ? 0 : variables["temperature"].as<double>();
  sampling.top_k = variables["top-k"].as<std::int64_t>();
  sampling.top_p = variables["top-p"].as<double>();
  sampling.min_p = variables["min-p"].as<double>();
  sampling.repetition_penalty = variables["repetition-penalty"].as<double>();
  sampling.seed = variables["seed"].as<std::uint64_t>();
  if (variables.count("logit-bias") > 0)
    for (const std::string& bias : variables["logit-bias"].as<std::vector<std::string>>())
      sampling.logit_bias.insert_or_assign(bias_of(bias).first, bias_of(bias).second);
  return sampling;
}

void expect_one_prompt(const po::variables_map& variables) {
  const bool chat = variables.count("chat") > 0;
  if (chat == (variables.count("prompt") > 0))
    throw std::invalid_argument("expected either PROMPT or --chat TEXT, found " +
                                std::string(chat ? "both" : "neither") + "; see `retort generate --help`");
  for (const char* option : {"system", "tools"})
    if (!chat && variables.count(option) > 0)
      throw std::invalid_argument(std::string("--") + option +
                                  ": expected with --chat, found with PROMPT; write the prompt out, or use --chat");
}

task::Conversation conversation_of(const po::variables_map& variables) {
  task::Conversation conversation = task::conversation_of(variables["chat"].as<std::string>());
  if (variables.count("system") > 0)
    conversation.messages.insert(conversation.messages.begin(),
                                 {.role = task::Role::system, .content = variables["system"].as<std::string>()});
  return conversation;
}

/// PROMPT, or the prompt that the model's chat template makes of --chat and --system.
std::string prompt_of(const po::variables_map& variables, const std::filesystem::path& folder) {
  if (variables.count("prompt") > 0) return variables["prompt"].as<std::string>();
  task::ChatInput input;
  input.add_generation_prompt = true;
  input.messages = nlohmann::ordered_json::array();
  for (const task::Message& message : conversation_of(variables).messages)
    input.messages.push_back({{"role", task::name_of(message.role)}, {"content", message.content}});
  return task::ChatTemplate::load(folder).render(input);
}

/// The grammar of answers that may call the tools of a file, and the prompt that shows them.
struct ToolChat {
  std::string prompt;
  std::unique_ptr<grammar::Grammar> grammar;
  std::vector<runtime::TokenId> ends;
};

/// How the model is asked with tools: as its task says, where it has one that takes any, else by its chat template.
task::PromptContract contract_of(const model::ModelFolder& folder) {
  if (!folder.retort().contains("task"))
    return task::PromptContract(task::template_form(task::ChatTemplate::load(folder.path())), {});
  task::PromptContract contract =
      task::PromptContract::from_json(folder.retort().at("task"), (folder.path() / "retort.json").string() + " /task");
  if (!contract.form().takes_any_tools())
    throw std::invalid_argument("--tools: this model was trained for the tools of its task, which its form \"" +
                                contract.format() + "\" holds in its weights; ask it with `retort call`");
  return contract;
}

ToolChat tool_chat(const po::variables_map& variables, const runtime::TextModel& model) {
  const std::string file = variables["tools"].as<std::string>();
  const text::Tokenizer& tokenizer = model.tokenizer();
  const task::PromptContract contract = contract_of(model.folder());
  task::Conversation conversation = conversation_of(variables);
  task::ReadingNotes notes;
  conversation.tools = task::tool_set_from_json(host::read_json(file), file, notes);
  if (!notes.losses.empty()) host::log_warning("not shown to the model: " + task::ReadingNotes::listed(notes.losses));
  std::vector<std::string> names;
  for (const task::Tool& tool : *conversation.tools) names.push_back(tool.name);
  const auto options = grammar::options_for(runtime::package_grammar(model.folder()), names);
  task::CallEnvelope envelope = contract.envelope(tokenizer, *conversation.tools);
  if (!model.folder().retort().contains("task"))
    envelope.style.order = task::KeyOrder::any;  // who knows what it was trained on
  ToolChat chat;
  chat.prompt = tokenizer.decode(contract.prompt(tokenizer, conversation), true);
  chat.grammar = std::make_unique<grammar::Grammar>(grammar::envelope_program(envelope, options),
                                                    std::make_shared<const grammar::Vocabulary>(tokenizer));
  if (options.values_from_utterance) chat.grammar->set_conversation(runtime::said_in(contract.seen(conversation)));
  chat.ends = envelope.ends;
  return chat;
}

double per_second(std::size_t tokens, double milliseconds) {
  return milliseconds > 0 ? static_cast<double>(tokens) * 1000 / milliseconds : 0;
}

/// The first token comes with the prefill.
std::size_t decoded(const runtime::Generation& generation) {
  return generation.tokens.empty() ? 0 : generation.tokens.size() - 1;
}

host::Json to_json(const runtime::TokenLogProbability& token, const text::Tokenizer& tokenizer) {
  return {{"token_id", token.token},
          {"text", tokenizer.decode({token.token}, true)},
          {"log_probability", std::isinf(token.log_probability) ? host::Json() : host::Json(token.log_probability)}};
}

/// One entry per token; null where none were asked for.
host::Json log_probabilities_of(const runtime::Generation& generation, const text::Tokenizer& tokenizer) {
  if (generation.log_probabilities.empty()) return nullptr;
  host::Json entries = host::Json::array();
  for (const runtime::LogProbabilities& token : generation.log_probabilities) {
    entries.push_back(to_json(token.chosen, tokenizer));
    for (const runtime::TokenLogProbability& rival : token.top)
      entries.back()["top"].push_back(to_json(rival, tokenizer));
  }
  return entries;
}

void print_json(const runtime::Continuation& result, const text::Tokenizer& tokenizer) {
  const runtime::Generation& generation = result.generation;
  const host::Json json = {{"prompt_token_ids", result.prompt},
                           {"token_ids", generation.tokens},
                           {"text", result.text},
                           {"ended", result.ended},
                           {"stop", result.stop ? host::Json(*result.stop) : host::Json()},
                           {"log_probabilities", log_probabilities_of(generation, tokenizer)},
                           {"timings",
                            {{"prefill_ms", generation.prefill_ms},
                             {"decode_ms", generation.decode_ms},
                             {"prefill_tokens_per_second", per_second(result.prompt.size(), generation.prefill_ms)},
                             {"decode_tokens_per_second", per_second(decoded(generation), generation.decode_ms)}}}};
  std::cout << json.dump(-1, ' ', false, host::Json::error_handler_t::replace) << "\n";
}

void print_timings(const runtime::Continuation& result) {
  const runtime::Generation& generation = result.generation;
  std::cerr << "prompt " << result.prompt.size() << " tokens in " << host::format_ms(generation.prefill_ms)
            << "; generated " << generation.tokens.size() << " in " << host::format_ms(generation.decode_ms) << " ("
            << static_cast<std::int64_t>(per_second(decoded(generation), generation.decode_ms)) << " tokens/s)"
            << (result.ended || result.stop ? "" : "; cut short") << "\n";
}

}  // namespace

int generate_command(const Arguments& arguments) {
  po::options_description options("options"), hidden;
  po::positional_options_description positional;
  options.add_options()("tokens,n", po::value<std::int64_t>()->default_value(128)->value_name("N"),
                        "generate at most N tokens")(
      "chat", po::value<std::string>()->value_name("TEXT"),
      "instead of PROMPT: what the user says, put into the model's chat template")(
      "system", po::value<std::string>()->value_name("TEXT"), "with --chat: the system message")(
      "tools", po::value<std::string>()->value_name("FILE"),
      "with --chat: OpenAI tools that the model may call; its answer is then a text or valid calls of them")(
      "json", po::bool_switch(),
      "one JSON object: prompt_token_ids, token_ids, text, ended, stop, log_probabilities, timings");
  add_sampling_options(options);
  add_model_options(options);
  hidden.add_options()("model", po::value<std::string>()->required())("prompt", po::value<std::string>());
  positional.add("model", 1).add("prompt", 1);
  const auto variables = parse_command_line(
      arguments,
      {"retort generate MODEL PROMPT [options], or MODEL --chat TEXT [options]",
       "Lets a model folder continue PROMPT, in which special tokens may stand as text; prints what it says as it "
       "comes "
       "and the speed to stderr. Ends with the model's end token, after N tokens, or when its context is full.",
       "retort generate smollm2 \"The capital of France is\" -n 16 --greedy"},
      options, positional, hidden);
  if (!variables) return exit_success;
  runtime::GenerationOptions generation;
  generation.max_new_tokens = (*variables)["tokens"].as<std::int64_t>();
  if (generation.max_new_tokens < 1)
    throw std::invalid_argument("-n: expected 1 or more, found " + std::to_string(generation.max_new_tokens));
  generation.sampling = sampling_of(*variables);
  generation.log_probabilities = (*variables)["top-logprobs"].as<std::int64_t>();
  if (generation.log_probabilities < 0 || generation.log_probabilities > 1000)
    throw std::invalid_argument("--top-logprobs: expected 0 (none) to 1000, found " +
                                std::to_string(generation.log_probabilities));
  std::vector<std::string> stops;
  if (variables->count("stop") > 0) stops = (*variables)["stop"].as<std::vector<std::string>>();
  generation.token = [](runtime::TokenId) { return !host::stop_requested(); };

  expect_one_prompt(*variables);
  const auto folder = model_path((*variables)["model"].as<std::string>());
  const bool with_tools = variables->count("tools") > 0;
  std::string prompt = with_tools ? "" : prompt_of(*variables, folder);
  const bool json = (*variables)["json"].as<bool>();
  runtime::TextModel model(folder, decoder_options(*variables));
  ToolChat tools;
  if (with_tools) {
    tools = tool_chat(*variables, model);
    prompt = tools.prompt;
    generation.grammar = tools.grammar.get();
    generation.tokenizer = &model.tokenizer();
    generation.ends = tools.ends;
  }
  const auto [first, end] = model.padding_rows();
  if (first < end)
    host::log_info("embedding rows " + std::to_string(first) + " to " + std::to_string(end - 1) +
                   " belong to no token: padding");
  const auto piece = [json](std::string_view text) {
    if (!json) std::cout << text << std::flush;
  };
  const runtime::Continuation result = model.continue_text(prompt, generation, piece, stops);
  if (json) {
    print_json(result, model.tokenizer());
  } else {
    std::cout << "\n";
    print_timings(result);
  }
  return host::stop_requested() ? exit_interrupted : exit_success;
}

}  // namespace retort::apps
