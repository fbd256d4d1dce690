// stage.import_chat's reading: files and folders, tools beside rows or in them, splits, and what is rejected.
#include "import_chat.h"

#include <set>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "task/dataset.h"

namespace retort::stages {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using tests::contains;
using tests::error_of;

json tool(const std::string& name) {
  return {{"type", "function"},
          {"function",
           {{"name", name},
            {"parameters", {{"type", "object"}, {"properties", {{"x", {{"type", "string"}}}}}, {"required", {"x"}}}}}}};
}

json row(const std::string& text, const std::string& name, const std::string& value = "v") {
  return {{"messages",
           {{{"role", "user"}, {"content", text}},
            {{"role", "assistant"},
             {"tool_calls",
              {{{"id", "1"},
                {"type", "function"},
                {"function", {{"name", name}, {"arguments", json{{"x", value}}.dump()}}}}}}}}}};
}

class ImportChat : public testing::Test {
 protected:
  ImportChat() { fs::create_directories(folder_ / "data"), fs::create_directories(folder_ / "out"); }

  void write(const std::string& name, const std::vector<json>& rows) {
    std::string text;
    for (const json& one : rows) text += one.dump() + "\n";
    host::write_file_atomically(folder_ / "data" / name, text);
  }
  void write_tools(const json& tools) { host::write_json(folder_ / "data" / "tools.json", tools); }
  ImportChatOptions options() const { return {.path = folder_ / "data", .output = folder_ / "out"}; }
  std::string output(const std::string& name) const { return host::read_file(folder_ / "out" / name); }

  tests::TemporaryFolder folder_;
};

TEST_F(ImportChat, TakesAFolderOfSplits) {
  write_tools(json::array({tool("f"), tool("g")}));
  write("train.jsonl", {row("a", "f"), row("b", "g"), {{"messages", {{{"role", "user"}, {"content", "later"}}}}}});
  write("validation.jsonl", {row("c", "f")});
  write("test.jsonl", {row("a", "f"), row("e", "new")});
  const ImportedChat found = import_chat(options());
  EXPECT_EQ(found.tools, 2U);
  EXPECT_EQ(found.rows.at(SplitName::train), 3);
  EXPECT_EQ(found.unlabelled.at(SplitName::train), 1);
  EXPECT_EQ(found.rows.at(SplitName::test), 2);
  EXPECT_EQ(found.impossible_test, 1);  // no tool "new": it stays and counts as wrong
  EXPECT_EQ(found.held_out_in_train, 1);
  EXPECT_EQ(task::read_split(folder_ / "out" / "train.jsonl").examples.size(), 3U);
  EXPECT_EQ(task::read_split(folder_ / "out" / "test.jsonl").examples.size(), 2U);
  EXPECT_EQ(output("rejected.jsonl"), "");
  EXPECT_EQ(task::read_tools(folder_ / "out" / "tools.json").size(), 2U);
}

TEST_F(ImportChat, RejectsRowsWithReasonsAndKeepsToTheShare) {
  write_tools(json::array({tool("f")}));
  write("train.jsonl", {row("a", "f"), row("b", "nowhere"), row("c", "nowhere"), {{"messages", 1}}, row("e", "f")});
  ImportChatOptions loose = options();
  loose.max_rejected_share = 0.6;
  const ImportedChat found = import_chat(loose);
  EXPECT_EQ(found.tally().rejected(), 3);
  EXPECT_TRUE(contains(found.files.at("train.jsonl").summary("train.jsonl"),
                       "2 rows kept, 3 rejected: 2 × /messages/N: unknown tool \"nowhere\"; 1 × /messages: expected"))
      << found.files.at("train.jsonl").summary("train.jsonl");
  const json first = json::parse(output("rejected.jsonl").substr(0, output("rejected.jsonl").find('\n')));
  EXPECT_EQ(first["line"], 2);
  EXPECT_EQ(first["reason"], "train.jsonl: row: /messages/1: unknown tool \"nowhere\"");
  const std::string error = error_of([&] { import_chat(options()); });
  EXPECT_TRUE(contains(error, "3 of 5 rows cannot be used") && contains(error, "2 × /messages/N: unknown tool") &&
              contains(error, "line 2"))
      << error;
}

TEST_F(ImportChat, LabelsThatNoToolCanMakeAreAnError) {
  write_tools(json::array({tool("f")}));
  write("train.jsonl", {row("a", "f")});
  write("test.jsonl", {row("b", "g"), row("c", "h")});
  const std::string error = error_of([&] { import_chat(options()); });
  EXPECT_TRUE(contains(error, "none of the 2 labels of test can be made")) << error;
}

TEST_F(ImportChat, GathersTheToolsOfRows) {
  json one = row("a", "f"), two = row("b", "g");
  one["tools"] = json::array({tool("f")});
  two["tools"] = json::array({tool("g"), tool("f")});
  two["tools"][1]["function"]["description"] = "another";
  write("rows.jsonl", {one, two});
  ImportChatOptions file = options();
  file.path = folder_ / "data" / "rows.jsonl";
  const ImportedChat found = import_chat(file);
  EXPECT_EQ(found.tools, 2U);
  EXPECT_EQ(found.other_definitions, (std::map<std::string, std::int64_t>{{"f", 1}}));
  const auto split = task::read_split(folder_ / "out" / "train.jsonl");
  ASSERT_EQ(split.examples.size(), 2U);
  EXPECT_EQ(split.examples[1].tools->at(1).description, "another");
  write("rows.jsonl", {row("a", "f")});
  EXPECT_TRUE(contains(error_of([&] { import_chat(file); }), "no tools.json stands beside the rows"));
}

TEST_F(ImportChat, MakesStratifiedSplitsBySeed) {
  write_tools(json::array({tool("f"), tool("g")}));
  std::vector<json> rows;
  for (int i = 0; i < 400; ++i) rows.push_back(row("text " + std::to_string(i), i % 4 == 0 ? "g" : "f"));
  for (int i = 0; i < 400; i += 10) rows.push_back(row("text " + std::to_string(i), i % 4 == 0 ? "g" : "f"));
  write("all.jsonl", rows);
  ImportChatOptions shares = options();
  shares.shares = {0.1, 0.2};
  shares.seed = 3;
  import_chat(shares);
  std::map<std::string, std::map<std::string, int>> count;
  std::map<std::string, std::set<std::string>> words;
  for (const std::string split : {"train", "validation", "test"})
    for (const task::Example& example : task::read_split(folder_ / "out" / (split + ".jsonl")).examples) {
      if (words[split].insert(example.utterance()).second) ++count[split][example.calls->front().name];
    }
  EXPECT_EQ(count["validation"], (std::map<std::string, int>{{"f", 30}, {"g", 10}}));
  EXPECT_EQ(count["test"], (std::map<std::string, int>{{"f", 60}, {"g", 20}}));
  for (const std::string& text : words["test"]) EXPECT_FALSE(words["train"].contains(text)) << text;
  for (const std::string& text : words["validation"]) EXPECT_FALSE(words["train"].contains(text)) << text;
  const std::string first = output("test.jsonl");
  import_chat(shares);
  EXPECT_EQ(output("test.jsonl"), first);
  shares.seed = 4;
  import_chat(shares);
  EXPECT_NE(output("test.jsonl"), first);
}

TEST_F(ImportChat, NamesFoldersWithoutRows) {
  EXPECT_TRUE(
      contains(error_of([&] { import_chat(options()); }), "expected train.jsonl, or one JSONL file, found none"));
  write("a.jsonl", {});
  write("b.jsonl", {});
  EXPECT_TRUE(contains(error_of([&] { import_chat(options()); }), "found a.jsonl, b.jsonl"));
  fs::remove(folder_ / "data" / "b.jsonl");
  EXPECT_TRUE(contains(error_of([&] { import_chat(options()); }), "expected chat rows, found none"));
}

TEST_F(ImportChat, ReadsOnlyTheFirstRowsForACheck) {
  write_tools(json::array({tool("f")}));
  write("train.jsonl", {row("a", "f"), row("b", "f"), {{"messages", 1}}});
  ImportChatOptions check = options();
  check.first_rows = 2;
  check.output.clear();
  EXPECT_EQ(import_chat(check).tally().rows(), 2);
  EXPECT_FALSE(fs::exists(folder_ / "out" / "train.jsonl"));
}

/// shared/cases/files/03: the folder that the README describes.
TEST_F(ImportChat, CasesOwnData) {
  const fs::path data =
      tests::shared_data("").parent_path().parent_path() / "cases" / "files" / "03-no-stage-reads-own-data" / "data";
  RETORT_NEEDS(data);
  ImportChatOptions own = options();
  own.path = data;
  const ImportedChat found = import_chat(own);
  EXPECT_EQ(found.rows.at(SplitName::train), 220);
  EXPECT_EQ(found.rows.at(SplitName::validation), 40);
  EXPECT_EQ(found.rows.at(SplitName::test), 40);
  EXPECT_EQ(found.tally().rejected(), 0) << found.tally().summary("all");
  EXPECT_TRUE(found.tally().notes().losses.empty()) << found.tally().summary("all");
}

/// shared/cases/files/21: a third of train names a tool that is not there.
TEST_F(ImportChat, CasesUnknownToolsAreSaid) {
  const fs::path data =
      tests::shared_data("").parent_path().parent_path() / "cases" / "files" / "03-no-stage-reads-own-data" / "data";
  RETORT_NEEDS(data);
  fs::copy_file(data / "tools.json", folder_ / "data" / "tools.json");
  std::vector<json> rows;
  task::RowFile lines(data / "train.jsonl");
  for (std::string text; lines.next(text);) {
    rows.push_back(json::parse(text));
    if (rows.size() % 3 != 0) continue;
    for (json& call : rows.back()["messages"].back()["tool_calls"]) call["function"]["name"] = "nowhere";
  }
  write("train.jsonl", rows);
  ImportChatOptions loose = options();
  loose.max_rejected_share = 0.5;
  const ImportedChat found = import_chat(loose);
  EXPECT_TRUE(contains(found.tally().summary("train"), " rejected: ")) << found.tally().summary("train");
  EXPECT_TRUE(contains(found.tally().summary("train"), "unknown tool \"nowhere\"")) << found.tally().summary("train");
  EXPECT_TRUE(contains(error_of([&] { import_chat(options()); }), "unknown tool \"nowhere\""));
}

}  // namespace
}  // namespace retort::stages
