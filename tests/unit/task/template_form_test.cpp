// The form "chat_template" with templates of published models: exactly the assistant's turns are learnt, token by
// token.
#include "task/template_form.h"

#include "fixtures.h"
#include "host/base/files.h"
#include "task/prompt_contract.h"
#include "text/bpe_trainer.h"

namespace retort::task {
namespace {

using tests::contains;
using tests::error_of;
using Json = nlohmann::json;

/// A template of the SmolLM2 kind: no place for tools, and a system text of its own.
constexpr char chatml[] =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\\nYou are small.<|im_end|>\\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

std::vector<Tool> tools() {
  return {{"alarm_set",
           "sets an alarm",
           {{"type", "object"}, {"properties", {{"time", {{"type", "string"}}}}}, {"required", {"time"}}}}};
}

ChatTemplate of(const std::string& source) {
  return ChatTemplate::from_json({{"template", {{"default", source}}}, {"special_tokens", {{"bos_token", "<s>"}}}},
                                 "t");
}

std::string published(const std::string& name) {
  const Json groups =
      Json::parse(host::read_file(tests::shared_data("jinja-chat-template-vectors") / "chat_templates.json"));
  return groups.at("custom_templates").at(name).at("chat_template");
}

text::Tokenizer tokenizer() {
  return text::Tokenizer::parse(
      text::train_byte_level_bpe(
          {"assistant", " wake me up at 7"},
          {.vocabulary_size = 400,
           .special_tokens = {"<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<|begin_of_text|>",
                              "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"}}),
      "the test's tokenizer");
}

/// user, call, result, text.
std::vector<Message> conversation() {
  return {{.role = Role::user, .content = "wake me up at 7"},
          {.role = Role::assistant, .tool_calls = {{"c1", {"alarm_set", {{"time", "7"}}}}}},
          {.role = Role::tool, .content = "set", .tool_call_id = "c1", .name = "alarm_set"},
          {.role = Role::assistant, .content = "Good night."}};
}

/// What is learnt of each assistant's turn, as text; nothing of any other message is.
std::vector<std::string> learnt(const PromptContract& contract, const text::Tokenizer& tokenizer,
                                const std::vector<Message>& messages, std::vector<std::string>* prompts = nullptr) {
  std::vector<std::string> turns;
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role != Role::assistant) continue;
    Conversation before;
    before.messages.assign(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(i));
    const auto prompt = contract.prompt(tokenizer, before);
    const auto response = contract.response(tokenizer, before, messages[i]);
    EXPECT_EQ(response.back(), contract.end_token(tokenizer));
    EXPECT_EQ(std::count(response.begin(), response.end(), contract.end_token(tokenizer)), 1);
    turns.push_back(tokenizer.decode(response, true));
    if (prompts != nullptr) prompts->push_back(tokenizer.decode(prompt, true));
    const ParsedResponse parsed = contract.parse(tokenizer, response, before);
    const auto* calls = std::get_if<std::vector<Call>>(&parsed);
    EXPECT_TRUE(calls != nullptr) << turns.back();
    EXPECT_EQ(calls == nullptr ? std::vector<Call>() : *calls, calls_of(messages[i])) << turns.back();
  }
  return turns;
}

using Turns = std::vector<std::string>;

TEST(TemplateForm, LearnsExactlyTheAssistantsTurns) {
  RETORT_NEEDS(tests::shared_data("jinja-chat-template-vectors"));
  const text::Tokenizer tokens = tokenizer();
  const std::string hermes =
      "<tool_call>\n{\"name\": \"alarm_set\", \"arguments\": {\"time\": \"7\"}}\n</tool_call><|im_end|>";
  const std::tuple<std::string, Turns, std::string> cases[] = {
      {published("Qwen/Qwen2.5-7B-Instruct"), {hermes, "Good night.<|im_end|>"}, "<|im_start|>assistant\n"},
      {published("Qwen/Qwen3-0.6B"),
       {hermes, "Good night.<|im_end|>"},
       "<|im_start|>assistant\n<think>\n\n</think>\n\n"},
      {published("meta-llama/Llama-3.1-8B-Instruct"),
       {R"({"name": "alarm_set", "parameters": {"time": "7"}}<|eot_id|>)", "Good night.<|eot_id|>"},
       "<|start_header_id|>assistant<|end_header_id|>\n\n"},
      {chatml, {hermes, "Good night.<|im_end|>"}, "<|im_start|>assistant\n"},
  };
  for (const auto& [source, expected, head] : cases) {
    const PromptContract contract(template_form(of(source)), tools());
    std::vector<std::string> prompts;
    EXPECT_EQ(learnt(contract, tokens, conversation(), &prompts), expected) << source.substr(0, 200);
    for (const std::string& prompt : prompts) {
      EXPECT_TRUE(prompt.ends_with(head)) << prompt;
      EXPECT_TRUE(contains(prompt, "alarm_set") && contains(prompt, "sets an alarm")) << prompt;
      EXPECT_TRUE(contains(prompt, "wake me up at 7")) << prompt;
    }
    EXPECT_TRUE(contains(prompts.at(1), "set\n</tool_response>") || contains(prompts.at(1), "ipython"))
        << prompts.at(1);
  }
}

/// The same tokens one by one: none of the prompt, all of the answer.
TEST(TemplateForm, MasksTokenByToken) {
  RETORT_NEEDS(tests::shared_data("tokenizer-qwen3"));
  const text::Tokenizer tokens = text::Tokenizer::load(tests::shared_data("tokenizer-qwen3"));
  const PromptContract contract(template_form(of(chatml)), {});
  Conversation asked;
  asked.messages = {{.role = Role::user, .content = "hi"}};
  const auto prompt = contract.prompt(tokens, asked);
  const auto response = contract.response(tokens, asked, {.role = Role::assistant, .content = "yes sir"});
  const auto pieces = [&](const std::vector<text::TokenId>& ids) {
    std::vector<std::string> texts;
    for (const text::TokenId id : ids) texts.push_back(tokens.token_bytes(id));
    return texts;
  };
  EXPECT_EQ(pieces(prompt), (std::vector<std::string>{"<|im_start|>", "system", "\n", "You", " are", " small", ".",
                                                      "<|im_end|>", "\n", "<|im_start|>", "user", "\n", "hi",
                                                      "<|im_end|>", "\n", "<|im_start|>", "assistant", "\n"}));
  EXPECT_EQ(pieces(response), (std::vector<std::string>{"yes", " sir", "<|im_end|>"}));
}

/// Qwen3 takes the thinking of earlier turns away: each turn is learnt in the text in which it will be asked for.
TEST(TemplateForm, LearnsEachTurnWhereATemplateRewritesEarlierOnes) {
  RETORT_NEEDS(tests::shared_data("jinja-chat-template-vectors"));
  const text::Tokenizer tokens = tokenizer();
  const PromptContract contract(template_form(of(published("Qwen/Qwen3-0.6B"))), {});
  const std::vector<Message> messages = {{.role = Role::user, .content = "a"},
                                         {.role = Role::assistant, .content = "b"},
                                         {.role = Role::user, .content = "c"},
                                         {.role = Role::assistant, .content = "d"}};
  std::vector<std::string> prompts;
  EXPECT_EQ(learnt(contract, tokens, messages, &prompts), (Turns{"b<|im_end|>", "d<|im_end|>"}));
  EXPECT_EQ(prompts[1],
            "<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nc<|im_end|>\n"
            "<|im_start|>assistant\n<think>\n\n</think>\n\n");
}

TEST(TemplateForm, TakesOtherToolsAtRunTime) {
  const text::Tokenizer tokens = tokenizer();
  const PromptContract contract(template_form(of(chatml)), tools());
  Conversation asked;
  asked.messages = {{.role = Role::user, .content = "hi"}};
  asked.tools = std::make_shared<const std::vector<Tool>>(
      std::vector<Tool>{{"wave", "", {{"type", "object"}, {"properties", Json::object()}}}});
  const std::string prompt = tokens.decode(contract.prompt(tokens, asked), true);
  EXPECT_TRUE(contains(prompt, "wave") && !contains(prompt, "alarm_set")) << prompt;
  const auto answer =
      contract.response(tokens, asked, {.role = Role::assistant, .tool_calls = {{"", {"wave", Json::object()}}}});
  EXPECT_EQ(std::get<std::vector<Call>>(contract.parse(tokens, answer, asked)).at(0).name, "wave");
  EXPECT_TRUE(contains(std::get<Malformed>(contract.parse(tokens, answer)).reason, "unknown tool"));
}

TEST(TemplateForm, IsStoredWhole) {
  const text::Tokenizer tokens = tokenizer();
  const PromptContract contract(template_form(of(chatml)), tools());
  const PromptContract again = PromptContract::from_json(contract.to_json(), "task");
  EXPECT_EQ(again.format(), "chat_template");
  EXPECT_EQ(again.to_json(), contract.to_json());
  EXPECT_EQ(again.prompt(tokens, "hi"), contract.prompt(tokens, "hi"));
}

TEST(TemplateForm, RefusesTemplatesThatCannotBeLearnt) {
  const text::Tokenizer tokens = tokenizer();
  const Message yes{.role = Role::assistant, .content = "yes"};
  Conversation asked;
  asked.messages = {{.role = Role::user, .content = "hi"}};
  // The answer changes what stands before it.
  const PromptContract counting(
      template_form(of("{{ messages | length }}{% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}")), {});
  EXPECT_TRUE(contains(error_of([&] { counting.response(tokens, asked, yes); }), "cannot be told from its prompts"));
  EXPECT_TRUE(contains(error_of([] { template_form(of("{% for m in messages %}{{ m.content }}{% endfor %}")); }),
                       "no end behind an answer"));
  EXPECT_TRUE(contains(error_of([] { template_form(of("hello")); }), "does not write an assistant's text"));
  const PromptContract no_token(template_form(of("{% for m in messages %}{{ m.content }} stop {% endfor %}")), {});
  EXPECT_TRUE(contains(error_of([&] { no_token.end_token(tokens); }), "expected a special token"));
}

TEST(TemplateForm, SaysItsEnvelope) {
  const text::Tokenizer tokens = tokenizer();
  const PromptContract contract(template_form(of(chatml)), tools());
  const CallEnvelope envelope = contract.envelope(tokens);
  EXPECT_EQ(envelope.ends, std::vector<text::TokenId>{contract.end_token(tokens)});
  EXPECT_EQ(envelope.style.spacing, JsonSpacing::spaced);
  ASSERT_EQ(envelope.tools.size(), 1U);
  const auto text_of = [&](const EnvelopeParts& parts) {
    std::string text;
    for (const EnvelopePart& part : parts) text += part.token >= 0 ? std::string(tokens.token(part.token)) : part.text;
    return text;
  };
  EXPECT_EQ(text_of(envelope.tools[0].before), "<tool_call>\n{\"name\": \"alarm_set\", \"arguments\": ");
  EXPECT_EQ(text_of(envelope.tools[0].after), "}\n</tool_call>");
  EXPECT_EQ(text_of(envelope.between_calls), "\n");
  EXPECT_EQ(envelope.tools[0].before.front().token, *tokens.find("<tool_call>"));
}

}  // namespace
}  // namespace retort::task
