// Rows, splits, and each way in which a row can be bad.
#include "task/dataset.h"

#include "fixtures.h"
#include "host/base/files.h"
#include "task/example_file.h"

namespace retort::task {
namespace {

using tests::contains;
using tests::error_of;
using tests::TemporaryFolder;
using Json = nlohmann::json;

std::string row(const std::string& user, const std::string& assistant) {
  return R"({"messages":[{"role":"user","content":)" + user + "}" + (assistant.empty() ? "" : "," + assistant) + "]}";
}

std::string assistant_call(const std::string& name, const std::string& arguments) {
  return R"({"role":"assistant","tool_calls":[{"id":"1","type":"function","function":{"name":)" + name +
         R"(,"arguments":)" + arguments + "}}]}";
}

TEST(Dataset, RowsRoundTrip) {
  const std::vector<Example> examples = {
      {"say \"hi\"\n",
       std::vector<Call>{{"say", {{"text", "\"hi\" \\ ü"}}}, {"stop", Json::object()}},
       {{"split", "a"}}},
      {"no call", std::vector<Call>{}, Json::object()},
      {"unlabelled", std::nullopt, Json::object()}};
  for (const Example& example : examples) {
    const Example again = from_row(to_row(example));
    EXPECT_EQ(again.utterance(), example.utterance());
    EXPECT_EQ(again.calls, example.calls);
    EXPECT_EQ(again.metadata, example.metadata);
  }
  EXPECT_EQ(to_row(examples[0])["messages"][1]["tool_calls"][1]["function"]["arguments"], "{}");
}

TEST(Dataset, ReadsTheLastTurn) {
  const Json json = Json::parse(R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"first"},)" +
                                assistant_call("\"a\"", "\"{}\"") + R"(,{"role":"tool","content":"ok"},
    {"role":"assistant","content":"done"},{"role":"user","content":"second"}]})");
  const Example example = from_row(json);
  EXPECT_EQ(example.utterance(), "second");
  EXPECT_EQ(example.messages.size(), 6U);
  EXPECT_EQ(example.calls, std::nullopt);
}

TEST(Dataset, EachBadRowHasItsReason) {
  const std::string good = row("\"u\"", assistant_call("\"a\"", "\"{}\""));
  const std::pair<std::string, std::string> cases[] = {
      {"{", "not valid JSON"},
      {"[1]", "expected an object"},
      {"{}", "the key \"messages\""},
      {R"({"messages":{}})", "/messages: expected an array"},
      {R"({"messages":[]})", "a message with the role \"user\""},
      {R"({"messages":[{"role":"assistant","content":""}]})", "a message with the role \"user\""},
      {R"({"messages":[{"role":"robot","content":""}]})", "/messages/0/role"},
      {R"({"messages":[{"content":"u"}]})", "the key \"role\""},
      {R"({"messages":["u"]})", "/messages/0: expected an object"},
      {row("1", ""), "/messages/0/content: expected a string"},
      {row(R"([{"type":"image_url","image_url":{}}])", ""), "/messages/0/content/0/type: expected \"text\""},
      {row("\" \"", ""), "not blank"},
      {row("\"u\"", R"({"role":"assistant","tool_calls":{}})"), "/tool_calls: expected an array"},
      {row("\"u\"", R"({"role":"assistant","tool_calls":[{}]})"), "the key \"function\""},
      {row("\"u\"", R"({"role":"assistant","tool_calls":[{"type":"x"}]})"), "expected \"function\""},
      {row("\"u\"", assistant_call("1", "\"{}\"")), "/function/name: expected a string"},
      {row("\"u\"", assistant_call("\"a\"", "7")), "an object, or its JSON text"},
      {row("\"u\"", assistant_call("\"a\"", "\"{\"")), "not valid JSON"},
      {row("\"u\"", assistant_call("\"a\"", "\"[]\"")), "an object as JSON text"},
      {row("\"u\"", assistant_call("\"a\"", R"("{\"x\":1,\"x\":2}")")), "twice"},
      {R"({"messages":[{"role":"user","content":"u"}],"metadata":1})", "/metadata"},
      {"\"\xFF\"", "not valid JSON"},
      {std::string(1000, '['), "nested deeper"},
      {good + good, "not valid JSON"}};
  const TemporaryFolder folder;
  for (const auto& [text, reason] : cases) {
    host::write_file_atomically(folder / "train.jsonl", good + "\n\n" + text + "\r\n" + good);
    const Split split = read_split(folder / "train.jsonl", 0.5);
    ASSERT_EQ(split.rejected.size(), 1U) << text;
    EXPECT_EQ(split.examples.size(), 2U);
    EXPECT_EQ(split.rejected[0].line, 3);
    EXPECT_EQ(split.rejected[0].text.substr(0, text.size()), text);
    EXPECT_TRUE(contains(split.rejected[0].reason, reason)) << text << ": " << split.rejected[0].reason;
  }
}

TEST(Dataset, TheThresholdDecides) {
  const TemporaryFolder folder;
  const std::string good = row("\"u\"", "") + "\n";
  host::write_file_atomically(folder / "x.jsonl", "\xEF\xBB\xBF" + good + "1\n" + good + "2\n3\n4\n");
  EXPECT_EQ(read_split(folder / "x.jsonl", 0.7).rejected.size(), 4U);
  const std::string error = error_of([&] { read_split(folder / "x.jsonl", 0.6); });
  EXPECT_TRUE(contains(error, "x.jsonl") && contains(error, "4 of 6 rows")) << error;
  EXPECT_TRUE(contains(error, "line 2: ") && contains(error, "line 5: ") && !contains(error, "line 6: ")) << error;
  EXPECT_TRUE(contains(error_of([&] { read_split(folder / "none.jsonl"); }), "none.jsonl"));
  host::write_file_atomically(folder / "empty.jsonl", "");
  EXPECT_TRUE(read_split(folder / "empty.jsonl").examples.empty());
}

TEST(Dataset, WritesSplitsAndRejectedRows) {
  const TemporaryFolder folder;
  const std::vector<Example> examples = {{"a", std::vector<Call>{{"f", {{"x", 1.5}}}}, Json::object()},
                                         {"b\xFF", std::nullopt, Json::object()}};
  write_split(folder / "train.jsonl", examples);
  const Split split = read_split(folder / "train.jsonl");
  ASSERT_EQ(split.examples.size(), 2U);
  EXPECT_EQ(split.examples[0].calls, examples[0].calls);
  EXPECT_EQ(split.examples[1].utterance(), "b\uFFFD");
  write_rejected(folder / "rejected.jsonl", {{7, "why", "te\xFFxt"}});
  const Json rejected = Json::parse(host::read_file(folder / "rejected.jsonl"));
  EXPECT_EQ(rejected, (Json{{"line", 7}, {"reason", "why"}, {"text", "te\uFFFDxt"}}));
  EXPECT_THROW(write_split(folder / "none" / "x.jsonl", examples), std::runtime_error);
}

TEST(Dataset, ReadsTools) {
  const TemporaryFolder folder;
  host::write_file_atomically(folder / "tools.json", R"([{"type":"function","function":{"name":"stop"}}])");
  EXPECT_EQ(read_tools(folder / "tools.json").at(0).name, "stop");
  host::write_file_atomically(folder / "tools.json", R"([{"type":"function"}])");
  EXPECT_TRUE(contains(error_of([&] { read_tools(folder / "tools.json"); }), "tools.json: /0"));
}

TEST(Dataset, PassesASplitOnWithoutItsBadRows) {
  const tests::TemporaryFolder folder;
  const std::string good = R"({"messages":[{"content":"a", "role":"user"}]})"
                           "\n";
  host::write_file_atomically(folder / "from.jsonl", good + "broken\n" + good);
  const auto rejected = pass_on_rows(folder / "from.jsonl", folder / "to.jsonl", 0.5);
  ASSERT_TRUE(rejected.has_value());
  ASSERT_EQ(rejected->size(), 1U);
  EXPECT_EQ(rejected->at(0).line, 2);
  EXPECT_EQ(read_split(folder / "to.jsonl", 0).examples.size(), 2U);  // nothing left to reject
  EXPECT_THROW(pass_on_rows(folder / "from.jsonl", folder / "to.jsonl", 0.1), std::runtime_error);
  host::write_file_atomically(folder / "from.jsonl", good + good);
  pass_on_rows(folder / "from.jsonl", folder / "to.jsonl", 0);
  EXPECT_EQ(host::read_file(folder / "to.jsonl"), good + good);  // byte for byte
  EXPECT_FALSE(pass_on_rows(folder / "none.jsonl", folder / "other.jsonl", 0).has_value());
  EXPECT_FALSE(std::filesystem::exists(folder / "other.jsonl"));
}

TEST(Dataset, PassesOnWhatIsHeldOut) {
  const tests::TemporaryFolder folder;
  const std::string good = R"({"messages":[{"content":"a", "role":"user"}]})"
                           "\n";
  std::filesystem::create_directories(folder / "to");
  host::write_file_atomically(folder / "test.jsonl", "broken\n" + good);  // and no validation.jsonl
  const std::vector<RejectedRow> rejected = pass_on_held_out(folder.path(), folder / "to", 0.5);
  ASSERT_EQ(rejected.size(), 1U);
  EXPECT_TRUE(contains(rejected[0].reason, "test.jsonl: ")) << rejected[0].reason;
  EXPECT_EQ(host::read_file(folder / "to" / "test.jsonl"), good);
  EXPECT_FALSE(std::filesystem::exists(folder / "to" / "validation.jsonl"));
}

}  // namespace
}  // namespace retort::task
