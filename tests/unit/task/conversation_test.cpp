// Chat rows of every shape: what is read, what is converted and counted, what contradicts itself and is refused.
#include "task/conversation.h"

#include "fixtures.h"
#include "host/base/files.h"
#include "task/call_markup.h"
#include "task/chat_row.h"
#include "task/dataset.h"

namespace retort::task {
namespace {

using tests::contains;
using tests::error_of;
using Json = nlohmann::json;

Conversation read(const std::string& row, ReadingNotes* taken = nullptr) {
  ReadingNotes notes;
  Conversation conversation = conversation_from_row(parse_row(row), notes);
  if (taken != nullptr) *taken = notes;
  return conversation;
}

std::string messages(const std::string& list) {
  return R"({"messages":[)" + list + "]}";
}

const std::string user = R"({"role":"user","content":"u"})";

std::string call(const std::string& id, const std::string& name) {
  return R"({"id":")" + id + R"(","type":"function","function":{"name":")" + name + R"(","arguments":"{}"}})";
}

TEST(Conversation, KeepsEveryRoleIdAndText) {
  const std::string row = messages(
      R"({"role":"system","content":"s"},{"role":"developer","content":"d"},{"role":"user","content":"q","name":"ann"},)"
      R"({"role":"assistant","content":"t","tool_calls":[)" +
      call("x1", "f") + "," + call("x2", "g") +
      R"(]},{"role":"tool","tool_call_id":"x2","content":"2"},{"role":"tool","tool_call_id":"x1","content":"1"},)"
      R"({"role":"assistant","content":"done"})");
  ReadingNotes notes;
  const Conversation conversation = read(row, &notes);
  EXPECT_TRUE(notes.empty()) << notes.to_json();
  EXPECT_EQ(conversation.messages.size(), 7U);
  EXPECT_EQ(conversation.utterance(), "q");
  EXPECT_EQ(conversation.messages[3].tool_calls[1].id, "x2");
  EXPECT_EQ(conversation.messages[4].tool_call_id, "x2");
  const Json written = to_row(conversation);
  ReadingNotes again;
  EXPECT_EQ(conversation_from_row(written, again).messages, conversation.messages);
  Json expected = Json::parse(row);
  expected["messages"][3]["content"] = "t";
  EXPECT_EQ(written, expected);
}

TEST(Conversation, ConvertsOlderAndLooserFormsAndCountsThem) {
  const std::pair<std::string, std::string> cases[] = {
      {messages(user + R"(,{"role":"assistant","content":null,"function_call":{"name":"f","arguments":"{\"a\":1}"}})"),
       "legacy function_call"},
      {messages(user + R"(,{"role":"assistant","tool_calls":[{"name":"f","arguments":{"a":1}}]})"),
       "tool calls without \"function\""},
      {messages(
           user +
           R"(,{"role":"assistant","content":"<tool_call>\n{\"name\":\"f\",\"arguments\":{\"a\":1}}\n</tool_call>"})"),
       "calls written in content: Hermes <tool_call>"},
      {messages(user + R"(,{"role":"assistant","content":"{\"name\":\"f\",\"parameters\":{\"a\":1}}<|eot_id|>"})"),
       "calls written in content: Llama 3 JSON"},
      {messages(user + R"(,{"role":"assistant","content":"[TOOL_CALLS] [{\"name\":\"f\",\"arguments\":{\"a\":1}}]"})"),
       "calls written in content: Mistral [TOOL_CALLS]"},
  };
  for (const auto& [row, conversion] : cases) {
    ReadingNotes notes;
    const Conversation conversation = read(row, &notes);
    EXPECT_EQ(notes.conversions, (std::map<std::string, std::int64_t>{{conversion, 1}})) << row;
    ASSERT_EQ(conversation.messages[1].tool_calls.size(), 1U) << row;
    EXPECT_EQ(conversation.messages[1].tool_calls[0].call, (Call{"f", {{"a", 1}}})) << row;
    EXPECT_EQ(conversation.messages[1].tool_calls[0].id, "call_0");
  }
}

TEST(Conversation, ConvertsFunctionsAndTheirResults) {
  ReadingNotes notes;
  const Conversation conversation =
      read(R"({"functions":[{"name":"f","parameters":{"type":"object","properties":{}}}],"id":7,"messages":[)" + user +
               R"(,{"role":"assistant","content":null,"function_call":{"name":"f","arguments":""}},)"
               R"({"role":"function","name":"f","content":"5"}]})",
           &notes);
  EXPECT_EQ(conversation.tools->at(0).name, "f");
  EXPECT_EQ(conversation.messages[2].role, Role::tool);
  EXPECT_EQ(conversation.messages[2].tool_call_id, "call_0");
  EXPECT_EQ(conversation.metadata, (Json{{"id", 7}}));
  EXPECT_EQ(notes.conversions.size(), 6U) << notes.to_json();
  EXPECT_TRUE(notes.losses.empty()) << notes.to_json();
}

TEST(Conversation, JoinsPartsOfText) {
  ReadingNotes notes;
  const Conversation conversation =
      read(messages(R"({"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b"}]})"), &notes);
  EXPECT_EQ(conversation.utterance(), "a\nb");
  EXPECT_EQ(notes.conversions.at("content in parts joined"), 1);
}

TEST(Conversation, CountsWhatNoFieldHolds) {
  ReadingNotes notes;
  read(messages(user + R"(,{"role":"assistant","content":"x","reasoning_content":"because"})"), &notes);
  EXPECT_EQ(notes.losses, (std::map<std::string, std::int64_t>{{"message key \"reasoning_content\" of assistant", 1}}));
  // A mark beside real calls is text, and said to be.
  ReadingNotes marks;
  read(messages(user + R"(,{"role":"assistant","content":"<tool_call>{}</tool_call>","tool_calls":[)" + call("1", "f") +
                "]}"),
       &marks);
  EXPECT_EQ(marks.losses.size(), 1U) << marks.to_json();
}

TEST(Conversation, RefusesWhatContradictsItself) {
  const std::string called = user + R"(,{"role":"assistant","tool_calls":[)" + call("1", "f") + "]}";
  const std::pair<std::string, std::string> cases[] = {
      {messages(user + R"(,{"role":"assistant","function_call":{"name":"f","arguments":"{}"},"tool_calls":[)" +
                call("1", "f") + "]}"),
       "/messages/1/function_call: expected one of"},
      {messages(R"({"role":"tool","tool_call_id":"1","content":"x"},)" + user),
       "/messages/0: expected a call before a tool's result"},
      {messages(called + R"(,{"role":"tool","tool_call_id":"2","content":"x"})"),
       "/messages/2/tool_call_id: expected the id of a call that waits: \"1\" (f)"},
      {messages(
           called +
           R"(,{"role":"tool","tool_call_id":"1","content":"x"},{"role":"tool","tool_call_id":"1","content":"x"})"),
       "/messages/3: expected a call before"},
      {messages(called + "," + user + R"(,{"role":"tool","tool_call_id":"1","content":"x"})"),
       "/messages/3: expected a call before"},
      {messages(user + R"(,{"role":"assistant","tool_calls":[)" + call("1", "f") + "," + call("1", "g") + "]}"),
       "each call's id once"},
      {messages(user + R"(,{"role":"assistant","content":"<tool_call>{\"name\":\"f\""})"),
       "/messages/1/content: expected calls that can be read"},
      {messages(user + R"(,{"role":"assistant","content":"[get_weather(city='Oslo')]"})"), "calls as Python"},
      {messages(
           user +
           R"(,{"role":"assistant","content":"<tool_call><function=f><parameter=a>1</parameter></function></tool_call>"})"),
       "calls as XML"},
      {R"({"tools":[],"functions":[],"messages":[)" + user + "]}", "/functions: expected one of"},
      {R"({"tools":[{"type":"function","function":{"name":"f"}},{"type":"function","function":{"name":"f"}}],"messages":[)" +
           user + "]}",
       "row: /tools: /1/function/name: expected each tool once"},
      {messages(
           user +
           R"(,{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{\"n\":123456789012345678901234567890}"}}]})"),
       "at most 64 bits"},
      {messages(
           user +
           R"(,{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":{"n":18446744073709551616}}}]})"),
       "at most 64 bits"},
  };
  for (const auto& [row, reason] : cases) {
    const std::string error = error_of([&] { read(row); });
    EXPECT_TRUE(contains(error, reason)) << row << "\n  " << error;
  }
  EXPECT_EQ(
      read(messages(user + R"(,{"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":)"
                           R"({"n":18446744073709551615,"m":-9223372036854775808,"s":"99999999999999999999"}}}]})"))
          .messages[1]
          .tool_calls[0]
          .call.arguments["n"],
      18446744073709551615ULL);
}

TEST(CallMarkup, ReadsTheKnownFamilies) {
  const Call f{"f", {{"a", "x } ] \" y"}}}, g{"g", Json::object()};
  const std::string arguments = f.arguments.dump();
  const std::string first = R"({"name":"f","arguments":)" + arguments + "}";
  const std::string second = R"({"name":"g","arguments":{}})";
  const std::pair<std::string, std::string> cases[] = {
      {"<tool_call>\n" + first + "\n</tool_call>\n<tool_call>" + second + "</tool_call>", "Hermes <tool_call>"},
      {"<tool_call>[" + first + "," + second + "]", "Hermes <tool_call>"},
      {"<|tool_call|>[" + first + "," + second + "]<|/tool_call|>", "Phi <|tool_call|>"},
      {"[TOOL_CALLS] [" + first + "," + second + "]</s>", "Mistral [TOOL_CALLS]"},
      {"[TOOL_CALLS]f[ARGS]" + arguments + "[TOOL_CALLS]g[CALL_ID]123[ARGS]{}", "Mistral [TOOL_CALLS]"},
      {R"(<|python_tag|>{"name":"f","parameters":)" + arguments + R"(}; {"name":"g","parameters":{}}<|eom_id|>)",
       "Llama 3 JSON"},
      {R"({"name":"f","parameters":)" + arguments + R"(};{"name":"g","parameters":{}})", "Llama 3 JSON"},
      {"<function=f>" + arguments + "</function><function=g>{}</function>", "Llama 3.1 <function=>"},
      {"<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>f\n```json\n" + arguments +
           "\n```<｜tool▁call▁end｜>\n<｜tool▁call▁begin｜>function<｜tool▁sep｜>g\n```json\n{}\n```<"
           "｜tool▁call▁end｜>",
       "DeepSeek tool calls"},
      {"[" + first + "," + second + "]", "JSON calls as text"},
  };
  for (const auto& [text, family] : cases) {
    const auto found = calls_in_text(text);
    ASSERT_TRUE(found) << text;
    EXPECT_EQ(found->family, family);
    EXPECT_EQ(found->calls, (std::vector<Call>{f, g})) << text;
    EXPECT_EQ(found->text, "") << text;
  }
  EXPECT_EQ(calls_in_text("I will.\n<tool_call>" + second + "</tool_call>")->text, "I will.");
  for (const char* plain : {"hello", R"({"answer": 1})", R"([1, 2])", R"({"name": "Ann", "age": 3})", "[see below]"})
    EXPECT_FALSE(calls_in_text(plain)) << plain;
}

TEST(Examples, EveryAssistantTurnIsATarget) {
  const Conversation conversation =
      read(messages(user + R"(,{"role":"assistant","tool_calls":[)" + call("1", "f") +
                    R"(]},{"role":"tool","tool_call_id":"1","content":"r"},{"role":"assistant","content":"done"},)" +
                    user + R"(,{"role":"assistant","weight":0,"content":"bad"},)" + user));
  ReadingNotes notes;
  const auto all = examples_of(conversation, Turns::all, notes);
  ASSERT_EQ(all.size(), 3U);
  EXPECT_EQ(all[0].calls->at(0).name, "f");
  EXPECT_EQ(all[0].messages.size(), 1U);
  EXPECT_EQ(all[1].calls, std::vector<Call>{});
  EXPECT_EQ(all[1].text, "done");
  EXPECT_EQ(all[1].messages.size(), 3U);
  EXPECT_FALSE(all[2].calls);  // what the last user asks is not answered
  EXPECT_EQ(examples_of(conversation, Turns::last, notes).size(), 1U);
  // Written and read again, each is one row and one target.
  for (const Example& example : all) {
    ReadingNotes reading;
    const auto again = examples_of(conversation_from_row(to_row(example), reading), Turns::all, reading);
    ASSERT_EQ(again.size(), 1U) << to_row(example);
    EXPECT_EQ(again[0].calls, example.calls);
    EXPECT_EQ(again[0].text, example.text);
    EXPECT_EQ(again[0].messages.size(), example.messages.size());
  }
  EXPECT_EQ(to_row(all[1])["messages"][1]["weight"], 0);
  ReadingNotes greeting;
  const auto greeted = examples_of(
      read(messages(R"({"role":"assistant","content":"hi"},)" + user + R"(,{"role":"assistant","content":"x"})")),
      Turns::all, greeting);
  EXPECT_EQ(greeted.size(), 1U);
  EXPECT_EQ(greeting.losses.size(), 1U);
}

TEST(RowTally, SaysTheThreeCommonestReasons) {
  RowTally tally;
  for (int i = 0; i < 5; ++i) tally.reject("row: /messages/" + std::to_string(i) + "/role: expected a string, found 1");
  for (int i = 0; i < 3; ++i) tally.reject("unknown tool \"x\"");
  tally.reject("c");
  tally.reject("d");
  tally.keep();
  const std::string text = tally.summary("train.jsonl");
  EXPECT_TRUE(
      text.starts_with("train.jsonl: 1 rows kept, 10 rejected: 5 × /messages/N/role: expected a string; "
                       "3 × unknown tool \"x\"; 1 × c"))
      << text;
  EXPECT_FALSE(contains(text, "× d")) << text;
}

TEST(RowTally, ReasonsDifferByMoreThanWhatWasSaid) {
  EXPECT_EQ(kind_of_reason("row: /messages/12/role: expected a string, found 7"),
            "/messages/N/role: expected a string");
  EXPECT_EQ(kind_of_reason("refused: cannot read \"stop 2 lamps\" as a request"),
            "refused: cannot read \"…\" as a request");
  EXPECT_EQ(kind_of_reason("unknown tool \"x7\" of \"a b"), "unknown tool \"xN\" of \"…\"");
  EXPECT_EQ(kind_of_reason("\""), "\"");
}

std::filesystem::path shared_cases() {
  return tests::shared_data("").parent_path().parent_path() / "cases" / "files";
}

/// The rows of shared/cases.
TEST(DataCases, LegacyFormsAreReadAsTheCallsThatTheyAre) {
  const auto folder = shared_cases() / "02-legacy-function-call";
  RETORT_NEEDS(folder);
  const Call expected{"move_event", {{"title", "budget review"}, {"to", {{"date", "2026-03-09"}}}}};
  for (const char* file : {"legacy_function_call.jsonl", "hermes.jsonl"}) {
    const Split split = read_split(folder / file);
    ASSERT_EQ(split.examples.size(), 1U) << file;
    EXPECT_EQ(split.examples[0].calls, std::vector<Call>{expected}) << file;
    EXPECT_EQ(split.tally.notes().conversions.size(), 1U) << file;
    EXPECT_TRUE(contains(split.tally.summary(file), "converted: 1 × ")) << split.tally.summary(file);
  }
}

TEST(DataCases, WideIntegersAreRefused) {
  const auto folder = shared_cases() / "19-integers-rounded";
  RETORT_NEEDS(folder);
  const Split split = read_split(folder / "huge_int.jsonl", 1);
  EXPECT_TRUE(split.examples.empty());
  ASSERT_EQ(split.rejected.size(), 1U);
  EXPECT_TRUE(contains(split.rejected[0].reason, "64 bits, found 123456789012345678901234567890"))
      << split.rejected[0].reason;
}

TEST(DataCases, OtherEncodingsAreNamed) {
  const auto folder = shared_cases() / "20-messages";
  RETORT_NEEDS(folder);
  const std::string error = error_of([&] { read_split(folder / "utf16.jsonl", 1); });
  EXPECT_TRUE(contains(error, "utf16.jsonl': expected UTF-8, found UTF-16")) << error;
  const tests::TemporaryFolder temporary;
  host::write_file_atomically(temporary / "latin1.jsonl", R"({"messages":[{"role":"user","content":"caf)"
                                                          "\xE9"
                                                          "\"}]}\n");
  const Split split = read_split(temporary / "latin1.jsonl", 1);
  ASSERT_EQ(split.rejected.size(), 1U);
  EXPECT_TRUE(contains(split.rejected[0].reason, "not UTF-8 from byte 43 on")) << split.rejected[0].reason;
  host::write_file_atomically(temporary / "broken.jsonl", "\n{x\n");
  EXPECT_TRUE(contains(read_split(temporary / "broken.jsonl", 1).rejected[0].reason, "not valid JSON: column 2"));
  host::write_file_atomically(temporary / "lfs.jsonl", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n");
  EXPECT_TRUE(contains(error_of([&] { read_split(temporary / "lfs.jsonl"); }), "Git LFS pointer"));
}

TEST(DataCases, RowsOfTheWildAreRead) {
  const auto file = tests::shared_data("home-wild") / "dev.jsonl";
  RETORT_NEEDS(file);
  const Split split = read_split(file, 0);
  EXPECT_EQ(split.examples.size(), 100U);
  EXPECT_TRUE(split.tally.notes().losses.empty()) << split.tally.notes().to_json();
}

}  // namespace
}  // namespace retort::task
