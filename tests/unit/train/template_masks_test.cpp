// What training learns of conversations in the chat templates of four model families, token by token: of every turn of
// the assistant the answer and its end token, of everything else nothing.
#include <gtest/gtest.h>

#include "host/base/files.h"
#include "model/fixtures.h"
#include "task/template_form.h"
#include "text/bpe_trainer.h"
#include "train/sequences.h"
#include "train/tool_turns.h"

namespace retort::train {
namespace {

using Json = nlohmann::json;

struct Family {
  const char* label;
  const char* name;    ///< of the published template; "": one of the SmolLM2 kind
  const char* header;  ///< stands before an answer
  const char* end;     ///< and behind it
  const char* call;    ///< how the first answer is written
};

constexpr Family families[] = {
    {"Qwen25", "Qwen/Qwen2.5-7B-Instruct", "<|im_start|>assistant\n", "<|im_end|>",
     "<tool_call>\n{\"name\": \"alarm_set\", \"arguments\": {\"time\": \"7\"}}\n</tool_call>"},
    {"Qwen3", "Qwen/Qwen3-0.6B", "<|im_start|>assistant\n<think>\n\n</think>\n\n", "<|im_end|>",
     "<tool_call>\n{\"name\": \"alarm_set\", \"arguments\": {\"time\": \"7\"}}\n</tool_call>"},
    {"Llama31", "meta-llama/Llama-3.1-8B-Instruct", "<|start_header_id|>assistant<|end_header_id|>\n\n", "<|eot_id|>",
     R"({"name": "alarm_set", "parameters": {"time": "7"}})"},
    {"SmolLM2Kind", "", "<|im_start|>assistant\n", "<|im_end|>",
     "<tool_call>\n{\"name\": \"alarm_set\", \"arguments\": {\"time\": \"7\"}}\n</tool_call>"}};

constexpr char smollm_kind[] =
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nYou are small.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}";

std::string source_of(const Family& family) {
  if (*family.name == '\0') return smollm_kind;
  const Json all =
      Json::parse(host::read_file(tests::shared_data("jinja-chat-template-vectors") / "chat_templates.json"));
  return all.at("custom_templates").at(family.name).at("chat_template");
}

text::Tokenizer tokenizer() {
  return text::Tokenizer::parse(
      text::train_byte_level_bpe(
          {"assistant user system", " wake me up at 7", "Good night", "alarm_set", "name arguments parameters"},
          {.vocabulary_size = 420,
           .special_tokens = {"<|im_start|>", "<|im_end|>", "<tool_call>", "</tool_call>", "<|begin_of_text|>",
                              "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"}}),
      "the test's tokenizer");
}

/// system, user, call, result, text; user, text.
task::Conversation conversation() {
  using task::Role;
  task::Conversation all;
  all.messages = {{.role = Role::system, .content = "assistant: be brief"},
                  {.role = Role::user, .content = "wake me up at 7, assistant"},
                  {.role = Role::assistant, .tool_calls = {{"c1", {"alarm_set", {{"time", "7"}}}}}},
                  {.role = Role::tool, .content = "{\"set\": 7}", .tool_call_id = "c1", .name = "alarm_set"},
                  {.role = Role::assistant, .content = "Good night."},
                  {.role = Role::user, .content = "thanks"},
                  {.role = Role::assistant, .content = "Sleep well."}};
  all.tools = std::make_shared<const std::vector<task::Tool>>(std::vector<task::Tool>{
      {"alarm_set", "sets an alarm", {{"type", "object"}, {"properties", {{"time", {{"type", "string"}}}}}}}});
  return all;
}

class TemplateMasks : public ::testing::TestWithParam<Family> {};

TEST_P(TemplateMasks, LearnEveryTokenOfAnAnswerAndNoOther) {
  RETORT_NEEDS(tests::shared_data("jinja-chat-template-vectors"));
  const Family& family = GetParam();
  const text::Tokenizer tokens = tokenizer();
  const auto form = task::template_form(task::ChatTemplate::from_json(
      {{"template", {{"default", source_of(family)}}}, {"special_tokens", {{"bos_token", "<|begin_of_text|>"}}}}, "t"));
  const task::PromptContract contract(form, {});
  task::ReadingNotes notes;
  const std::vector<task::Example> turns = task::examples_of(conversation(), task::Turns::all, notes);
  const std::string answers[] = {family.call, "Good night.", "Sleep well."};
  ASSERT_EQ(turns.size(), std::size(answers));
  for (std::size_t turn = 0; turn < turns.size(); ++turn) {
    const Sequence sequence = to_sequence(turns[turn], contract, tokens);
    std::vector<text::TokenId> ids = sequence.prompt;
    ids.insert(ids.end(), sequence.response.begin(), sequence.response.end());
    // The answer's place in the text, found by the template's own markers.
    const std::string whole = tokens.decode(ids, true), answer = answers[turn] + family.end;
    ASSERT_TRUE(whole.ends_with(family.header + answer)) << whole;
    const std::size_t begin = whole.size() - answer.size();
    std::size_t at = 0;
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const std::size_t bytes = tokens.decode({ids[i]}, true).size();
      EXPECT_TRUE(at + bytes <= begin || at >= begin) << "a token on the border of the answer";
      EXPECT_EQ(sequence.weight(i), at >= begin ? 1.0F : 0.0F)
          << "token " << i << " \"" << tokens.decode({ids[i]}, true) << "\" of " << whole;
      at += bytes;
    }
    EXPECT_EQ(at, whole.size());
    EXPECT_EQ(tokens.token(ids.back()), family.end);
    EXPECT_EQ(sequence.label_weight(), static_cast<double>(sequence.response.size()));
  }
}

/// A rollout goes on with what the template writes behind the call and its end token: the result, and the next answer's
/// header.
TEST_P(TemplateMasks, ResultsFollowAnAnswerAsItWasWritten) {
  RETORT_NEEDS(tests::shared_data("jinja-chat-template-vectors"));
  const Family& family = GetParam();
  const text::Tokenizer tokens = tokenizer();
  const auto form = task::template_form(task::ChatTemplate::from_json(
      {{"template", {{"default", source_of(family)}}}, {"special_tokens", {{"bos_token", "<|begin_of_text|>"}}}}, "t"));
  const task::PromptContract contract(form, {});
  task::Conversation said = conversation(), before = said;
  said.messages.resize(4);    // up to the result
  before.messages.resize(2);  // up to the call
  const std::vector<text::TokenId> behind = tokens_behind_answer(contract, tokens, said);
  const std::string text = tokens.decode(behind, true);
  EXPECT_NE(text.find("set"), std::string::npos) << text;
  EXPECT_TRUE(text.ends_with(family.header)) << text;
  EXPECT_EQ(text.find("alarm_set"), std::string::npos) << "a part of the call: " << text;
  EXPECT_FALSE(text.starts_with(family.end)) << text;
  if (std::string(family.label) == "Qwen3") return;  // it takes the empty thought out of earlier turns
  std::vector<text::TokenId> read = contract.prompt(tokens, before);
  const auto answer = contract.response(tokens, before, conversation().messages[2]);
  read.insert(read.end(), answer.begin(), answer.end());
  read.insert(read.end(), behind.begin(), behind.end());
  EXPECT_EQ(read, contract.prompt(tokens, said));
}

std::string label_of(const ::testing::TestParamInfo<Family>& family) {
  return family.param.label;
}

INSTANTIATE_TEST_SUITE_P(Families, TemplateMasks, ::testing::ValuesIn(families), label_of);

}  // namespace
}  // namespace retort::train
