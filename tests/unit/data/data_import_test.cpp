// Rows of other programs: each format in the form that its documentation gives, and faults by file and line.
#include "data/data_import.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <cstdlib>
#include <stdexcept>

#include "data/data_rows.h"
#include "data/preference_pairs.h"
#include "data_fixture.h"
#include "task/dataset.h"

namespace retort::data {
namespace {

using nlohmann::json;

class DataImport : public DataFolder {
 protected:
  ImportReport import(const std::string& name, SourceFormat format) {
    source_.path = folder_ / name;
    source_.format = format;
    std::filesystem::remove_all(folder_ / "out");
    return import_rows(source_, folder_ / "out", {});
  }
  std::vector<json> rows(const std::string& split = "train") const {
    std::vector<json> all;
    for (const std::string& line : lines_of(folder_ / "out" / (split + ".jsonl"))) all.push_back(json::parse(line));
    return all;
  }
  std::vector<task::Tool> tools() const { return task::read_tools(folder_ / "out/tools.json"); }
  std::vector<std::string> reasons() const {
    std::vector<std::string> all;
    for (const std::string& line : lines_of(folder_ / "out/rejected.jsonl")) {
      const json row = json::parse(line);
      all.push_back(std::to_string(row["line"].get<int>()) + " " + row["reason"].get<std::string>());
    }
    return all;
  }
  static json call_of(const json& row) { return row["messages"].back()["tool_calls"][0]["function"]; }

  SourceOptions source_;
};

TEST_F(DataImport, ShareGptWithCallsAndResults) {
  write("rows.json", {R"([{"conversations": [
    {"from": "human", "value": "weather in Oslo and Rome"},
    {"from": "function_call", "value": "[{\"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}, {\"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}]"},
    {"from": "observation", "value": "[\"3 degrees\", \"18 degrees\"]"},
    {"from": "gpt", "value": "3 and 18"}], "system": "brief",
    "tools": "[{\"name\": \"weather\", \"description\": \"\", \"parameters\": {\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}}}}]"},
    {"conversations": [{"from": "alien", "value": "beep"}]},
    {"conversations": [{"from": "human", "value": "hi"}, {"from": "gpt", "value": "hello"}], "id": "x7"}])"});
  const ImportReport report = import("rows.json", SourceFormat::sharegpt);
  EXPECT_EQ(report.kept, 2);
  const json first = rows()[0]["messages"];
  ASSERT_EQ(first.size(), 6U);
  EXPECT_EQ(first[0], (json{{"role", "system"}, {"content", "brief"}}));
  EXPECT_EQ(first[2]["tool_calls"].size(), 2U);
  EXPECT_EQ(first[4]["content"], "18 degrees");
  EXPECT_EQ(first[4]["tool_call_id"], first[2]["tool_calls"][1]["id"]);
  EXPECT_EQ(rows()[1]["metadata"]["id"], "x7");
  EXPECT_EQ(tools()[0].name, "weather");
  ASSERT_EQ(reasons().size(), 1U);
  EXPECT_EQ(reasons()[0].find("2 rows.json: row: /conversations/0/from: expected a speaker"), 0U) << reasons()[0];
}

TEST_F(DataImport, AlpacaAndXlam) {
  write("alpaca/train.jsonl", {R"({"instruction": "Add", "input": "1 and 2", "output": "3", "history": [["a", "b"]]})",
                               R"({"instruction": "Add"})", R"({"input": "1"})"});
  EXPECT_EQ(import("alpaca", SourceFormat::alpaca).kept, 2);
  EXPECT_EQ(rows()[0]["messages"][1]["weight"], 0);
  EXPECT_EQ(rows()[0]["messages"][2]["content"], "Add\n1 and 2");
  EXPECT_EQ(rows()[1]["messages"].size(), 1U);
  write("xlam.json",
        {R"([{"id": 0, "query": "Where is 5?", "answers": "[{\"name\": \"find\", \"arguments\": {\"n\": 5}}]",
    "tools": "[{\"name\": \"find\", \"description\": \"d\", \"parameters\": {\"n\": {\"type\": \"int\", \"description\": \"a\"}, \"m\": {\"type\": \"str, optional\"}}}]"}])"});
  EXPECT_EQ(import("xlam.json", SourceFormat::xlam).kept, 1);
  EXPECT_EQ(call_of(rows()[0])["name"], "find");
  EXPECT_EQ(tools()[0].parameters["properties"]["n"]["type"], "integer");
  EXPECT_EQ(tools()[0].parameters["required"], json::array({"n"}));
}

TEST_F(DataImport, TablesWithQuotesAndTypes) {
  write("rows.csv", {"\xEF\xBB\xBFutterance,intent,city,days,split\r", "\"weather, \"\"now\"\"\r",
                     "please\",weather,Oslo,3,train\r", "hello,none,,,test\r", "rain?,weather,Rome,many,\r", "\r",
                     "too,few\r", "\"never closed,weather,Oslo,1,train\r", "last,weather,,,\r"});
  source_.tools =
      task::tools_from_json(json::parse(R"([{"type": "function", "function": {"name": "weather", "parameters":
    {"type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}}])"),
                            "test");
  const ImportReport report = import("rows.csv", SourceFormat::csv);
  EXPECT_EQ(report.read, 6);
  EXPECT_EQ(report.splits, (std::map<std::string, std::int64_t>{{"test", 1}, {"train", 2}}));
  EXPECT_EQ(rows()[0]["messages"][0]["content"], "weather, \"now\"\nplease");
  EXPECT_EQ(json::parse(call_of(rows()[0])["arguments"].get<std::string>()), (json{{"city", "Oslo"}, {"days", 3}}));
  EXPECT_EQ(rows("test")[0]["messages"][1]["content"], "");
  ASSERT_EQ(reasons().size(), 3U);
  EXPECT_EQ(reasons()[0].find("5 rows.csv: row: /messages/1: "), 0U) << reasons()[0];  // "many" is no number of days
  EXPECT_EQ(reasons()[1], "7 rows.csv: row: expected 5 cells, found 2");
  EXPECT_EQ(reasons()[2], "8 rows.csv: row: expected a quote that is closed, found none within 1 MiB");
  source_ = {};
  write("rows.tsv", {"text\tlabel\tcolour", "make it \"red\"\tpaint\tred", "x\tpaint\t"});
  EXPECT_TRUE(import("rows.tsv", SourceFormat::tsv).derived);
  EXPECT_EQ(tools()[0].parameters["properties"]["colour"]["type"], "string");
  EXPECT_EQ(rows()[0]["messages"][0]["content"], "make it \"red\"");
  write("semicolons.csv", {"utterance;intent;city", "\"rain; or sun, now\";weather;Rome"});
  EXPECT_EQ(import("semicolons.csv", SourceFormat::csv).kept, 1);
  EXPECT_EQ(rows()[0]["messages"][0]["content"], "rain; or sun, now");
  EXPECT_EQ(json::parse(call_of(rows()[0])["arguments"].get<std::string>()), (json{{"city", "Rome"}}));
  write("bad.csv", {"a,b", "1,2"});
  EXPECT_THROW(import("bad.csv", SourceFormat::csv), std::invalid_argument);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
}

TEST_F(DataImport, BioWithListsAndClinc) {
  write("bio/train/seq.in", {"play a and b", "play a"});
  write("bio/train/seq.out", {"O B-what O B-what", "O B-what"});
  write("bio/train/label", {"play", "play"});
  write("bio/test/seq.in", {"fly"});
  write("bio/test/seq.out", {"O"});
  write("bio/test/label", {"fly"});
  const ImportReport report = import("bio", SourceFormat::bio);
  EXPECT_EQ(report.kept, 3);
  EXPECT_EQ(report.impossible_test, 1);  // nothing in train flies
  EXPECT_EQ(json::parse(call_of(rows()[1])["arguments"].get<std::string>()), (json{{"what", {"a"}}}));
  EXPECT_EQ(tools()[0].parameters["properties"]["what"], (json{{"type", "array"}, {"items", {{"type", "string"}}}}));
  write("clinc.json",
        {R"({"oos_test": [["who won", "oos"]], "train": [["hi", "greet"], ["pay", "bill"]], "val": [["yo", "greet"]],
    "test": [["hey", "greet"]], "oos_train": [["what", "oos"], ["broken"]]})"});
  const ImportReport clinc = import("clinc.json", SourceFormat::clinc);
  EXPECT_EQ(clinc.splits, (std::map<std::string, std::int64_t>{{"test", 2}, {"train", 3}, {"validation", 1}}));
  EXPECT_EQ(tools().size(), 2U);
  EXPECT_FALSE(rows("test")[1]["messages"][1].contains("tool_calls"));
  EXPECT_EQ(reasons(),
            std::vector<std::string>{
                "2 oos_train: row: (the whole document): expected a text and its intent, found [\"broken\"]"});
}

const char* const schema = R"([{"service_name": "Food_1", "slots": [
   {"name": "city", "description": "where", "is_categorical": false, "possible_values": []},
   {"name": "price", "is_categorical": true, "possible_values": ["low", "high"]}],
  "intents": [{"name": "Find", "description": "a place", "required_slots": ["city"], "optional_slots": {"price": "dontcare"}}]},
  {"service_name": "Food_2", "slots": [{"name": "area", "is_categorical": false, "possible_values": []}],
  "intents": [{"name": "Find", "required_slots": ["area"], "optional_slots": {}}]}])";

TEST_F(DataImport, SgdAsPublishedAndAsCalls) {
  write("sgd/train/schema.json", {schema});
  write("sgd/train/dialogues_001.json", {R"([{"dialogue_id": "1_0", "services": ["Food_1"], "turns": [
    {"speaker": "USER", "utterance": "Food in Oslo", "frames": []},
    {"speaker": "SYSTEM", "utterance": "Try Mo", "frames": [{"service_call": {"method": "Find", "parameters": {"city": "Oslo", "price": "low"}},
      "service_results": [{"name": "Mo"}]}]}]}])"});
  EXPECT_EQ(import("sgd", SourceFormat::sgd).kept, 1);
  const json messages = rows()[0]["messages"];
  ASSERT_EQ(messages.size(), 4U);
  EXPECT_EQ(messages[2], (json{{"role", "tool"}, {"content", R"([{"name":"Mo"}])"}, {"tool_call_id", "call_0"}}));
  EXPECT_EQ(rows()[0]["tools"][0]["function"]["parameters"]["properties"]["price"]["enum"],
            (json{"low", "high", "dontcare"}));
  write("calls/train_schema.json", {schema});
  const std::string lines =
      R"({"id": "1", "service": "Food_1", "history": ["U: food", "S: where?", "U: Oslo"], "call": {"method": "Find", "parameters": {"city": "Oslo"}}})"
      "\n"
      R"({"id": "2", "service": "Food_2", "history": ["U: food", "S: where?", "U: centre"], "call": {"method": "Find", "parameters": {"area": "centre"}}})"
      "\n"
      R"({"id": "3", "service": "Taxi_9", "history": ["U: a cab"], "call": {"method": "Ride", "parameters": {}}})"
      "\n";
  const gzFile file = gzopen((folder_ / "calls/train_calls.jsonl.gz").c_str(), "wb");
  ASSERT_EQ(gzwrite(file, lines.data(), static_cast<unsigned>(lines.size())), static_cast<int>(lines.size()));
  gzclose(file);
  const ImportReport report = import("calls", SourceFormat::sgd);
  EXPECT_EQ(report.kept, 2);
  EXPECT_EQ(rows()[0]["messages"][1]["weight"], 0);
  EXPECT_EQ(call_of(rows()[0])["name"], "Find");
  EXPECT_EQ(reasons().size(), 1U);
  source_.shared_tools = true;
  EXPECT_EQ(import("calls", SourceFormat::sgd).kept, 2);
  ASSERT_EQ(tools().size(), 1U);
  EXPECT_EQ(tools()[0].parameters["properties"].size(), 3U);
  EXPECT_EQ(tools()[0].parameters["required"], json::array());
  EXPECT_FALSE(rows()[0].contains("tools"));
  std::filesystem::resize_file(folder_ / "calls/train_calls.jsonl.gz",
                               std::filesystem::file_size(folder_ / "calls/train_calls.jsonl.gz") - 20);
  EXPECT_THROW(import("calls", SourceFormat::sgd), std::runtime_error);  // cut off
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.part"));
}

TEST_F(DataImport, TracesOfOpenTelemetry) {
  // The first as OTLP/JSON with attributes as text, the second structured, as logs; a span of a tool is passed over.
  const std::vector<std::string> documents = {
      R"({"resourceSpans": [{"scopeSpans": [{"spans": [
          {"traceId": "t1", "spanId": "s1", "name": "chat m", "attributes": [
            {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "97"}},
            {"key": "gen_ai.system_instructions", "value": {"stringValue": "[{\"type\": \"text\", \"content\": \"be brief\"}]"}},
            {"key": "gen_ai.tool.definitions", "value": {"stringValue": "[{\"type\": \"function\", \"name\": \"weather\", \"parameters\": {\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}}}}]"}},
            {"key": "gen_ai.input.messages", "value": {"stringValue": "[{\"role\": \"user\", \"parts\": [{\"type\": \"text\", \"content\": \"Oslo?\"}]}, {\"role\": \"assistant\", \"parts\": [{\"type\": \"tool_call\", \"id\": \"c1\", \"name\": \"weather\", \"arguments\": {\"city\": \"Oslo\"}}]}, {\"role\": \"tool\", \"parts\": [{\"type\": \"tool_call_response\", \"id\": \"c1\", \"response\": \"rainy, 57°F\"}]}]"}},
            {"key": "gen_ai.output.messages", "value": {"stringValue": "[{\"role\": \"assistant\", \"parts\": [{\"type\": \"reasoning\", \"content\": \"hm\"}, {\"type\": \"text\", \"content\": \"Rain.\"}], \"finish_reason\": \"stop\"}]"}}]},
          {"name": "execute_tool", "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "execute_tool"}}]},
          {"name": "chat m", "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}]}]}]}]})",
      R"({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"attributes": [
            {"key": "gen_ai.input.messages", "value": {"arrayValue": {"values": [{"kvlistValue": {"values": [
              {"key": "role", "value": {"stringValue": "user"}},
              {"key": "parts", "value": {"arrayValue": {"values": [{"kvlistValue": {"values": [
                {"key": "type", "value": {"stringValue": "text"}}, {"key": "content", "value": {"stringValue": "Rome?"}}]}}]}}}]}}]}}},
            {"key": "gen_ai.output.messages", "value": {"stringValue": "[{\"role\": \"assistant\", \"parts\": [{\"type\": \"tool_call\", \"id\": \"c1\", \"name\": \"weather\", \"arguments\": {\"city\": \"Rome\"}}], \"finish_reason\": \"tool_call\"}]"}}]}]}]}]})",
      R"({"attributes": {"gen_ai.input.messages": "[{\"role\": \"user\", \"parts\": [{\"type\": \"blob\", \"modality\": \"image\"}]}]", "gen_ai.output.messages": "[]"}})",
      R"({"metrics": 1})"};
  std::vector<std::string> lines;
  for (const std::string& document : documents) lines.push_back(json::parse(document).dump());
  write("spans.jsonl", lines);
  const ImportReport report = import("spans.jsonl", SourceFormat::otel);
  EXPECT_EQ(report.kept, 2);
  EXPECT_EQ(report.passed_over.at("spans and records that are not about a model"), 1);
  const json first = rows()[0];
  ASSERT_EQ(first["messages"].size(), 5U);
  EXPECT_EQ(first["messages"][0]["content"], "be brief");
  EXPECT_EQ(first["messages"][2]["weight"], 0);
  EXPECT_EQ(first["messages"][3]["content"], "rainy, 57°F");
  EXPECT_EQ(first["messages"][4]["content"], "Rain.");
  EXPECT_EQ(first["metadata"]["gen_ai.usage.input_tokens"], 97);
  EXPECT_EQ(first["metadata"]["trace_id"], "t1");
  EXPECT_EQ(call_of(rows()[1])["name"], "weather");
  ASSERT_EQ(reasons().size(), 3U);
  EXPECT_NE(reasons()[0].find("recorded without what was said"), std::string::npos);
  EXPECT_NE(reasons()[1].find("/gen_ai.input.messages/0/parts/0/type: expected \"text\""), std::string::npos)
      << reasons()[1];
  EXPECT_NE(reasons()[2].find("\"resourceSpans\""), std::string::npos);
}

TEST_F(DataImport, TracesOfEarlierInstrumentations) {
  // OpenLLMetry's numbered attributes; a span's events; a span as Python's console exporter prints it, twice.
  const std::vector<std::string> files = {R"({"resourceSpans": [{"scopeSpans": [{"spans": [
      {"name": "openai.chat", "attributes": [
        {"key": "llm.request.type", "value": {"stringValue": "chat"}},
        {"key": "gen_ai.prompt.0.role", "value": {"stringValue": "user"}},
        {"key": "gen_ai.prompt.0.content", "value": {"stringValue": "[{\"type\": \"text\", \"text\": \"Rome?\"}]"}},
        {"key": "gen_ai.prompt.1.role", "value": {"stringValue": "assistant"}},
        {"key": "gen_ai.prompt.1.tool_calls.0.id", "value": {"stringValue": "a"}},
        {"key": "gen_ai.prompt.1.tool_calls.0.name", "value": {"stringValue": "where"}},
        {"key": "gen_ai.prompt.2.role", "value": {"stringValue": "tool"}},
        {"key": "gen_ai.prompt.2.tool_call_id", "value": {"stringValue": "a"}},
        {"key": "gen_ai.prompt.2.content", "value": {"stringValue": "Italy"}},
        {"key": "gen_ai.completion.0.role", "value": {"stringValue": "assistant"}},
        {"key": "gen_ai.completion.0.finish_reason", "value": {"stringValue": "tool_calls"}},
        {"key": "gen_ai.completion.0.tool_calls.0.id", "value": {"stringValue": "b"}},
        {"key": "gen_ai.completion.0.tool_calls.0.name", "value": {"stringValue": "weather"}},
        {"key": "gen_ai.completion.0.tool_calls.0.arguments", "value": {"stringValue": "{\"city\": \"Rome\"}"}},
        {"key": "llm.request.functions.0.name", "value": {"stringValue": "weather"}},
        {"key": "llm.request.functions.0.parameters", "value": {"stringValue": "{\"type\": \"object\", \"properties\": {\"city\": {\"type\": \"string\"}}}"}},
        {"key": "llm.request.functions.1.name", "value": {"stringValue": "where"}}]},
      {"name": "openai.chat", "attributes": [{"key": "llm.request.type", "value": {"stringValue": "chat"}}]},
      {"name": "chat m", "attributes": [{"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}}], "events": [
        {"name": "gen_ai.system.message", "attributes": [{"key": "content", "value": {"stringValue": "brief"}}]},
        {"name": "gen_ai.user.message", "attributes": [{"key": "content", "value": {"stringValue": "Paris?"}}]},
        {"name": "exception", "attributes": []},
        {"name": "gen_ai.choice", "attributes": [{"key": "index", "value": {"intValue": "0"}},
          {"key": "message", "value": {"stringValue": "{\"content\": null, \"tool_calls\": [{\"id\": \"c\", \"type\": \"function\", \"function\": {\"name\": \"weather\", \"arguments\": \"{\\\"city\\\": \\\"Paris\\\"}\"}}]}"}}]}]}]}]}]})",
                                          R"({
    "name": "chat m",
    "context": {"trace_id": "0x1"},
    "attributes": {
        "gen_ai.input.messages": "[{\"role\": \"user\", \"parts\": [{\"type\": \"text\", \"content\": \"hi }{\"}]}]",
        "gen_ai.output.messages": "[{\"role\": \"assistant\", \"parts\": [{\"type\": \"text\", \"content\": \"hello\"}]}]"
    }
})"};
  write("spans.json", {files[0]});
  EXPECT_EQ(import("spans.json", SourceFormat::otel).kept, 2) << (reasons().empty() ? "" : reasons()[0]);
  ASSERT_EQ(rows().size(), 2U);
  const json first = rows()[0], second = rows()[1];
  ASSERT_EQ(first["messages"].size(), 4U) << first;
  EXPECT_EQ(first["messages"][0]["content"], "Rome?");
  EXPECT_EQ(first["messages"][2]["tool_call_id"], "a");
  EXPECT_EQ(json::parse(call_of(first)["arguments"].get<std::string>()), (json{{"city", "Rome"}}));
  EXPECT_EQ(first["tools"].size(), 2U);
  ASSERT_EQ(second["messages"].size(), 3U) << second;
  EXPECT_EQ(second["messages"][0]["role"], "system");
  EXPECT_EQ(json::parse(call_of(second)["arguments"].get<std::string>()), (json{{"city", "Paris"}}));
  ASSERT_EQ(reasons().size(), 1U);
  EXPECT_NE(reasons()[0].find("recorded without what was said"), std::string::npos);
  write("console.json", {files[1], files[1]});
  EXPECT_EQ(import("console.json", SourceFormat::otel).kept, 2);
  EXPECT_EQ(rows()[1]["messages"][0]["content"], "hi }{");
  EXPECT_EQ(rows()[1]["metadata"]["trace_id"], "0x1");
  write("console.json", {files[1], files[1].substr(0, 100)});
  EXPECT_THROW(import("console.json", SourceFormat::otel), std::runtime_error);
}

TEST_F(DataImport, RowsAsTheOnlyMemberOfAnObject) {
  const std::string good = row_of("play jazz", "play", "jazz");
  write("api.json", {R"({"data": [)" + good + "," + good + ", 7]}"});
  EXPECT_EQ(import("api.json", SourceFormat::openai).kept, 2);
  EXPECT_EQ(reasons().size(), 1U);
}

TEST_F(DataImport, BadRowsAreNamedAndTheRestGoesOn) {
  const std::string good = row_of("play jazz", "play", "jazz");
  std::ofstream(folder_ / "rows.jsonl", std::ios::binary) << "\xEF\xBB\xBF" << good << "\r\n"
                                                          << "{\"messages\": \"\xFF\"}\n"
                                                          << "[1]\n"
                                                          << good << "\r\n"
                                                          << good.substr(0, 30);
  const ImportReport report = import("rows.jsonl", SourceFormat::openai);
  EXPECT_EQ(report.read, 5);
  EXPECT_EQ(report.kept, 2);
  ASSERT_EQ(reasons().size(), 3U);
  EXPECT_EQ(reasons()[0].find("2 rows.jsonl: not valid JSON: it is not UTF-8 from byte 15 on"), 0U) << reasons()[0];
  EXPECT_EQ(reasons()[1].find("3 rows.jsonl: row: "), 0U) << reasons()[1];
  EXPECT_EQ(reasons()[2].find("5 rows.jsonl: "), 0U) << reasons()[2];
  EXPECT_TRUE(report.derived);
  std::vector<DataRow> rejected;
  for_each_rejected(folder_ / "out/rejected.jsonl", [&](DataRow& row) { rejected.push_back(row); });
  EXPECT_EQ(rejected[2].text, good.substr(0, 30));
  write("half.json", {"[{\"messages\": ["});
  EXPECT_THROW(import("half.json", SourceFormat::openai), std::runtime_error);
  write("empty.jsonl", {});
  EXPECT_THROW(import("empty.jsonl", SourceFormat::openai), std::invalid_argument);
  std::ofstream(folder_ / "wide.jsonl", std::ios::binary) << "\xFF\xFE{";
  EXPECT_THROW(import("wide.jsonl", SourceFormat::openai), std::runtime_error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out"));
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.part"));
}

TEST_F(DataImport, AnArrayOfRowsIsReadElementByElement) {
  const std::string good = row_of("play jazz", "play", "jazz"), wide = row_of(std::string(200000, 'x'), "play", "jazz");
  const std::string tricky = row_of(R"(a \"]},{[\\)", "play", "jazz");
  std::ofstream(folder_ / "rows.json", std::ios::binary) << "\xEF\xBB\xBF \r\n[" << good << "," << wide << " ,\n"
                                                         << tricky << ",7,{\"a\":1,\"a\":2},tru," << good << "\r\n]\n";
  const ImportReport report = import("rows.json", SourceFormat::openai);
  EXPECT_EQ(report.read, 7);
  EXPECT_EQ(report.kept, 4);
  EXPECT_EQ(rows()[2]["messages"][0]["content"], R"(a \"]},{[\\)");
  ASSERT_EQ(reasons().size(), 3U);
  EXPECT_EQ(reasons()[0].find("4 rows.json: row: "), 0U) << reasons()[0];
  EXPECT_EQ(reasons()[1].find("5 rows.json: the key \"a\" stands twice"), 0U) << reasons()[1];
  EXPECT_EQ(reasons()[2].find("6 rows.json: not valid JSON"), 0U) << reasons()[2];
  const auto refused = [&](const std::string& text) {
    std::ofstream(folder_ / "rows.json", std::ios::binary) << text;
    try {
      import("rows.json", SourceFormat::openai);
      return std::string();
    } catch (const std::exception& error) {
      return std::string(error.what());
    }
  };
  EXPECT_NE(refused("[" + good + "," + good).find("behind element 1"), std::string::npos);
  EXPECT_NE(refused("[" + good + ",]").find("expected an element behind element 1"), std::string::npos);
  EXPECT_NE(refused("[" + good + "] more").find("expected nothing behind element 1"), std::string::npos);
  EXPECT_NE(refused("[]").find("expected rows, found none"), std::string::npos);
}

class DataPrivacy : public DataFolder {};

std::string redacted(const std::string& text, std::map<std::string, std::int64_t>* counts = nullptr) {
  const PersonalData personal(PersonalData::kinds(), {{"customer", "C-[0-9]{4}"}});
  task::Conversation conversation = task::conversation_of(text);
  const auto found = personal.replace(conversation);
  if (counts != nullptr) *counts = found;
  return conversation.messages[0].content;
}

TEST_F(DataPrivacy, FindsWhatLooksLikeIt) {
  EXPECT_EQ(redacted("mail Ann.B+x@mail.example.org now, or bo@x.de."), "mail [EMAIL_1] now, or [EMAIL_2].");
  EXPECT_EQ(redacted("card 4111 1111 1111 1111, not 4111 1111 1111 1112"), "card [CARD_1], not 4111 1111 1111 1112");
  EXPECT_EQ(redacted("call +49 30 1234567 or (415) 555-2671 or 415-555-2671"),
            "call [PHONE_1] or [PHONE_2] or [PHONE_3]");
  EXPECT_EQ(redacted("from 192.168.0.12 and fe80::1ff:fe23:4567:890a"), "from [IP_1] and [IP_2]");
  EXPECT_EQ(redacted("customer C-0042 and C-0042"), "customer [CUSTOMER_1] and [CUSTOMER_1]");
  for (const char* same : {"on 2024-01-15 at 10:30:45", "15.01.2024", "room 1204, 3 pm", "version 1.2.3", "999.1.1.1",
                           "order 12345678", "a@b", "12:30"})
    EXPECT_EQ(redacted(same), same);
  EXPECT_TRUE(has_card_check_digit("378282246310005"));
  EXPECT_FALSE(has_card_check_digit("4111"));
  EXPECT_THROW(PersonalData({"name"}, {}), std::invalid_argument);
  EXPECT_THROW(PersonalData({}, {{"x", "("}}), std::invalid_argument);
}

TEST_F(DataPrivacy, ACallStillSaysWhatWasAskedFor) {
  write("d/train.jsonl", {row_of("write to bo@x.de", "mail", "bo@x.de"), row_of("play jazz", "play", "jazz")});
  const PersonalData personal(PersonalData::kinds(), {});
  const JobReport report = redact_rows(folder_ / "d", folder_ / "out", personal, {});
  EXPECT_EQ(report.changed, (std::map<std::string, std::int64_t>{{"email", 2}}));
  const auto lines = lines_of(folder_ / "out/train.jsonl");
  const json row = json::parse(lines[0]);
  EXPECT_EQ(row["messages"][0]["content"], "write to [EMAIL_1]");
  EXPECT_EQ(row["messages"][1]["tool_calls"][0]["function"]["arguments"], R"({"value":"[EMAIL_1]"})");
  EXPECT_EQ(lines[1], row_of("play jazz", "play", "jazz"));
}

TEST_F(DataPrivacy, BalanceKeepsAsManyAsAskedEvenly) {
  std::vector<std::string> rows;
  for (int i = 0; i < 90; ++i) rows.push_back(row_of("say " + std::to_string(i), i % 9 == 0 ? "rare" : "common", "x"));
  write("d/train.jsonl", rows);
  write("d/test.jsonl", rows);
  const JobReport report = balance_rows(folder_ / "d", folder_ / "out", 20, {});
  EXPECT_EQ(report.splits, (std::map<std::string, std::int64_t>{{"test", 90}, {"train", 30}}));
  EXPECT_EQ(report.removed.at("more than enough"), 60);
  EXPECT_NE(lines_of(folder_ / "out/train.jsonl").back().find("say 89"), std::string::npos);
  EXPECT_THROW(balance_rows(folder_ / "d", folder_ / "out2", 0, {}), std::invalid_argument);
}

TEST_F(DataPrivacy, PairsOfAnswersInEveryForm) {
  write("good/train.jsonl",
        {row_of("play jazz", "play", "jazz"), row_of("hello", "", "hi"), row_of("stop", "halt", "x")});
  write("bad/train.jsonl",
        {row_of("play jazz", "play", "rock"), row_of("play jazz", "play", "jazz"), row_of("hello", "", "no")});
  const auto first = [&](ChatFormat format) {
    const std::string out = (folder_ / ("pairs" + std::to_string(static_cast<int>(format)))).string();
    const JobReport report = export_pairs(folder_ / "good", folder_ / "bad", out, format, {});
    EXPECT_EQ(report.kept, format == ChatFormat::axolotl ? 1 : 2);
    EXPECT_EQ(report.removed.at("no worse answer"), 1);
    EXPECT_EQ(report.removed.count("no place in the format"), format == ChatFormat::axolotl ? 1U : 0U);
    return json::parse(lines_of(out + "/train.jsonl").at(0));
  };
  const json trl = first(ChatFormat::trl);
  EXPECT_EQ(trl["prompt"], json::parse(R"([{"role": "user", "content": "play jazz"}])"));
  EXPECT_EQ(trl["chosen"][0]["tool_calls"][0]["function"]["arguments"]["value"], "jazz");
  EXPECT_EQ(trl["rejected"][0]["tool_calls"][0]["function"]["arguments"]["value"], "rock");
  const json openai = first(ChatFormat::openai);
  EXPECT_EQ(openai["input"]["messages"].size(), 1U);
  EXPECT_EQ(openai["non_preferred_output"][0]["tool_calls"][0]["function"]["arguments"], R"({"value":"rock"})");
  const json axolotl = first(ChatFormat::axolotl);
  EXPECT_EQ(axolotl["chosen"], (json{{"role", "assistant"}, {"content", "hi"}})) << "its readers lose calls";
  EXPECT_EQ(axolotl["rejected"]["content"], "no");
  EXPECT_EQ(axolotl["messages"].size(), 1U);
  const json factory = first(ChatFormat::llama_factory);
  EXPECT_EQ(factory["conversations"].size(), 1U);
  EXPECT_EQ(factory["chosen"],
            (json{{"from", "function_call"}, {"value", R"({"arguments":{"value":"jazz"},"name":"play"})"}}));
  std::ifstream info(folder_ / "pairs3/dataset_info.json");
  EXPECT_EQ(json::parse(info)["pairs3_train"]["ranking"], true);
}

}  // namespace
}  // namespace retort::data
