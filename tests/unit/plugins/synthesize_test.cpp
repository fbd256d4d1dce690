// stage.synthesize with a teacher that follows a script: quotas, values, checks, several steps, masks, and a second run
// that asks nothing again.
#include "synthesize.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <set>
#include <string>

#include "../../../plugins/common/placeholders.h"
#include "fixtures.h"
#include "task/call.h"

namespace retort::stages {
namespace {

using nlohmann::json;

std::vector<task::Tool> home_tools() {
  return task::tools_from_json(json::parse(R"([
    {"type": "function", "function": {"name": "lamp", "description": "switches a lamp", "parameters": {"type": "object",
      "properties": {"room": {"type": "string", "description": "where"}, "level": {"type": "integer"}}, "required": ["room"]}}},
    {"type": "function", "function": {"name": "forecast", "description": "of a city", "parameters": {"type": "object",
      "properties": {"city": {"type": "string", "description": "which"}}, "required": ["city"]}}},
    {"type": "function", "function": {"name": "play", "description": "plays music", "parameters": {"type": "object",
      "properties": {"what": {"type": "string"}}, "required": []}}}])"),
                               "test");
}

json message_with(const std::string& content, const json& calls = json::array()) {
  json message = {{"role", "assistant"}, {"content", content}};
  if (!calls.empty()) message["tool_calls"] = calls;
  return {{"choices", {{{"message", message}, {"finish_reason", calls.empty() ? "stop" : "tool_calls"}}}}};
}

json call(const std::string& name, const json& arguments) {
  return {{"type", "function"},
          {"id", "call_" + name + arguments.dump()},
          {"function", {{"name", name}, {"arguments", arguments.dump()}}}};
}

/// Prompts that carry the plan through to the answer, so that the scripted teacher knows what is asked of it.
Prompts scripted_prompts() {
  Prompts prompts;
  for (std::size_t k = 0; k < row_kinds; ++k) {
    const auto kind = static_cast<RowKind>(k);
    prompts.task[kind] = "TASK " + std::string(name_of(kind)) + " {values} {missing}|{tools}";
  }
  prompts.utterance = "SAY {task}";
  prompts.result = "RESULT {call}";
  return prompts;
}

/// Answers by the words of the prompts; `wrong` makes every n-th answer with calls a wrong one.
class Script {
 public:
  explicit Script(std::size_t wrong = 0) : wrong_(wrong) {}
  SynthesisComponents components() {
    SynthesisComponents parts;
    parts.complete = [this](std::string_view, std::string_view requests, std::size_t count, const auto& take) {
      const json list = json::parse(requests);
      ASSERT_EQ(list.size(), count);
      for (std::size_t i = 0; i < count; ++i, ++asked) take(i, answer(list[i]));
    };
    return parts;
  }
  std::size_t asked = 0;

 private:
  json answer(const json& request) {
    const json& messages = request["messages"];
    const std::string last = messages.back()["content"].is_string() ? messages.back()["content"] : "";
    if (last.starts_with("TASK ")) return message_with(last.substr(5) + " #" + std::to_string(number_++));
    if (last.starts_with("SAY ")) return message_with("\"" + last.substr(4) + "\"");
    if (last.starts_with("RESULT ")) return message_with("{\"done\": true}");
    return called(messages, messages.back()["role"] == "tool");
  }
  json called(const json& messages, bool second) {
    std::string said;
    std::size_t results = 0;
    for (const json& message : messages) {
      if (message["role"] == "user") said = message["content"];
      results += message["role"] == "tool" ? 1 : 0;
    }
    const std::string kind = said.substr(0, said.find(' '));
    if (kind == "missing_argument" || kind == "no_call" || kind == "text_reply") return message_with("Which one?");
    const std::size_t begin = said.find('{'), bar = said.find('|');
    json values = begin < bar ? json::parse(said.substr(begin, said.find('}') - begin + 1)) : json::object();
    if (wrong_ > 0 && ++answers_ % wrong_ == 0) values = {{"room", 7}};
    std::vector<std::string> names;
    for (std::size_t at = said.find("- ", bar); at != std::string::npos; at = said.find("\n- ", at + 1))
      names.push_back(said.substr(said.find("- ", at) + 2, said.find(':', at) - said.find("- ", at) - 2));
    if (kind == "multi_step" && results >= 2) return message_with("Done.");
    json calls = json::array();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (kind == "multi_step" && i != (second ? 1U : 0U)) continue;
      json arguments = i == 0 ? values : json::object();
      if (names[i] == "lamp" && !arguments.contains("room")) arguments["room"] = "hall" + std::to_string(i);
      if (names[i] == "forecast" && !arguments.contains("city")) arguments["city"] = "Oslo" + std::to_string(i);
      calls.push_back(call(names[i], arguments));
    }
    return message_with("", calls);
  }
  std::size_t wrong_, number_ = 0, answers_ = 0;
};

struct Written {
  std::vector<task::Conversation> rows;
  std::vector<std::string> reasons;
  SynthesisReport report;
};

Written written_by(Script& script, SynthesisOptions options) {
  Written written;
  written.report = synthesize(
      options, script.components(), [&](std::size_t, const task::Conversation& row) { written.rows.push_back(row); },
      [&](std::size_t, const std::string& reason, const std::string&) { written.reasons.push_back(reason); },
      [](std::size_t) {});
  return written;
}

SynthesisOptions options_of(std::size_t rows) {
  SynthesisOptions options;
  options.tools = home_tools();
  options.prompts = scripted_prompts();
  options.quotas = {0.4, 0.2, 0.1, 0.1, 0.1, 0.1};
  options.rows = rows;
  options.batch_size = 7;
  options.seed = 5;
  options.samplers.personas = {"a cook", "a pilot"};
  options.samplers.values =
      values_from_json(json::parse(R"({"room": ["kitchen", "attic"], "forecast.city": ["Rome"], "what": ["jazz"]})"));
  return options;
}

TEST(Synthesis, QuotasHoldAndRowsAreWhatTheirKindSays) {
  Script script;
  const Written written = written_by(script, options_of(60));
  EXPECT_EQ(written.report.kept, (std::map<std::string, std::int64_t>{{"missing_argument", 6},
                                                                      {"multi_step", 6},
                                                                      {"no_call", 6},
                                                                      {"parallel", 12},
                                                                      {"single", 24},
                                                                      {"text_reply", 6}}));
  ASSERT_EQ(written.rows.size(), 60U);
  std::set<std::string> personas;
  for (const task::Conversation& row : written.rows) {
    const std::string kind = row.metadata["kind"];
    personas.insert(row.metadata["persona"].get<std::string>());
    const task::Message& last = row.messages.back();
    ASSERT_EQ(last.role, task::Role::assistant) << kind;
    ASSERT_TRUE(row.tools && !row.tools->empty());
    for (const task::Message& message : row.messages)
      for (const task::IdentifiedCall& one : message.tool_calls)
        EXPECT_EQ(task::invalid_reason(one.call, *row.tools), std::nullopt);
    if (kind == "single") {
      ASSERT_EQ(last.tool_calls.size(), 1U);
      const json& arguments = last.tool_calls[0].call.arguments;
      if (last.tool_calls[0].call.name == "forecast") {
        EXPECT_EQ(arguments["city"], "Rome");
      }
      if (arguments.contains("room")) {
        EXPECT_TRUE(arguments["room"] == "kitchen" || arguments["room"] == "attic");
      }
    }
    if (kind == "parallel") {
      EXPECT_GE(last.tool_calls.size(), 2U);
    }
    if (kind == "multi_step") {
      EXPECT_EQ(row.messages.size(), 6U);  // user, call, result, call, result, text
      EXPECT_EQ(last.content, "Done.");
    }
    if (kind == "missing_argument" || kind == "text_reply") {
      EXPECT_EQ(last.content, "Which one?");
    }
    if (kind == "no_call") {
      EXPECT_EQ(last.content, "");
    }
  }
  EXPECT_EQ(personas.size(), 2U);
}

TEST(Synthesis, WrongAnswersAreTriedAgainAndSaid) {
  Script script(3);
  const Written written = written_by(script, options_of(40));
  EXPECT_GT(written.report.rejected.at("check"), 3);
  EXPECT_EQ(static_cast<std::int64_t>(written.rows.size()) + written.report.given_up, 40);
  EXPECT_LT(written.report.given_up, 5);
  for (const std::string& reason : written.reasons) EXPECT_EQ(reason.find("check: "), 0U) << reason;
}

TEST(Synthesis, NamesAreMaskedEverywhereAlike) {
  Script script;
  SynthesisOptions options = options_of(30);
  options.quotas = {1, 0, 1, 0, 0, 0};
  options.masked_share = 0.5;
  const Written written = written_by(script, options);
  EXPECT_GT(written.report.masked, 8);
  EXPECT_LT(written.report.masked, 22);
  for (const task::Conversation& row : written.rows) {
    if (!row.metadata.contains("masked")) continue;
    for (const task::Tool& tool : *row.tools) {
      EXPECT_EQ(tool.name.find("lamp"), std::string::npos);
      EXPECT_FALSE(tool.description.empty());
      EXPECT_FALSE(tool.parameters["properties"].contains("room"));  // described, so masked
      if (tool.description == "switches a lamp") {
        EXPECT_TRUE(tool.parameters["properties"].contains("level"));
        EXPECT_TRUE(tool.parameters["properties"].contains(tool.parameters["required"][0]));
      }
    }
    for (const task::Message& message : row.messages)
      for (const task::IdentifiedCall& one : message.tool_calls)
        EXPECT_EQ(task::invalid_reason(one.call, *row.tools), std::nullopt);
  }
}

TEST(Synthesis, AnEnvironmentExecutesAndRefuses) {
  Script script;
  SynthesisOptions options = options_of(20);
  options.quotas = {1, 0, 1, 0, 0, 0};
  options.attempts = 1;
  SynthesisComponents components = script.components();
  components.start = [] {
    return [](const json& calls) {
      json results = json::array();
      bool ok = true;
      for (const json& one : calls) {
        const bool plays = one["name"] == "play";
        ok = ok && !plays;
        results.push_back({{"ok", !plays}, {"content", plays ? "no speakers" : "42"}});
      }
      return json{{"ok", ok}, {"error", ok ? json() : json("no speakers")}, {"results", results}, {"state", ""}};
    };
  };
  std::vector<task::Conversation> rows;
  std::set<std::string> reasons;
  const SynthesisReport report = synthesize(
      options, components, [&](std::size_t, const task::Conversation& row) { rows.push_back(row); },
      [&](std::size_t, const std::string& reason, const std::string&) { reasons.insert(reason); }, [](std::size_t) {});
  EXPECT_EQ(reasons, std::set<std::string>{"execution: no speakers"});
  EXPECT_EQ(report.rejected.at("execution"), report.given_up);
  bool results = false;
  for (const task::Conversation& row : rows)
    for (const task::Message& message : row.messages) results = results || message.content == "42";
  EXPECT_TRUE(results);
}

TEST(Synthesis, ASecondRunAsksNothingAgain) {
  const tests::TemporaryFolder folder;
  std::vector<json> runs;
  for (int run = 0; run < 2; ++run) {
    Script script;
    AnswerJournal journal(folder / "answers.jsonl");
    SynthesisOptions options = options_of(25);
    options.journal = &journal;
    const Written written = written_by(script, options);
    if (run == 0) {
      EXPECT_GT(script.asked, 50U);
    }
    if (run == 1) {
      EXPECT_EQ(script.asked, 0U);
    }
    json rows = json::array();
    for (const task::Conversation& row : written.rows) rows.push_back(task::to_row(row));
    runs.push_back(rows);
  }
  EXPECT_EQ(runs[0], runs[1]);
}

TEST(Synthesis, APersonNamesNoTool) {
  Script script;
  SynthesisOptions options = options_of(4);
  options.quotas = {1, 0, 0, 0, 0, 0};
  options.attempts = 2;
  for (task::Tool& tool : options.tools) tool.name += "_tool";
  const Written written = written_by(script, options);  // whose messages repeat the list of tools
  EXPECT_EQ(written.report.given_up, 4);
  EXPECT_EQ(written.report.rejected, (std::map<std::string, std::int64_t>{{"utterance", 8}}));
}

TEST(Synthesis, MoreThanMayBeGivenUpEndsIt) {
  Script script;
  SynthesisOptions options = options_of(40);
  options.quotas = {1, 0, 0, 0, 0, 0};
  options.attempts = 1;
  options.given_up_share = 0.25;  // ten of forty, in batches of seven
  for (task::Tool& tool : options.tools) tool.name += "_tool";
  const Written written = written_by(script, options);
  EXPECT_EQ(written.report.tried, 14U);
  EXPECT_EQ(written.report.given_up, 14);
  EXPECT_EQ(script.asked, 28U);  // task and message of each
  EXPECT_EQ(written.report.first_reason.find("utterance: it names the tool "), 0U) << written.report.first_reason;
}

TEST(Synthesis, WhatCannotBeIsRefused) {
  std::array<bool, row_kinds> possible = possible_kinds(home_tools());
  EXPECT_TRUE(possible[3]);
  std::vector<task::Tool> free = home_tools();
  free.erase(free.begin(), free.begin() + 2);
  EXPECT_FALSE(possible_kinds(free)[3]);  // nothing is required of "play"
  EXPECT_THROW(kinds_of_rows({0, 0, 0, 1, 0, 0}, possible_kinds(free), 5, 1), std::invalid_argument);
  EXPECT_EQ(kinds_of_rows({1, 0, 0, 1, 0, 0}, possible_kinds(free), 5, 1), std::vector<RowKind>(5, RowKind::single));
  EXPECT_THROW(values_from_json(json::parse(R"({"room": []})")), std::invalid_argument);
  EXPECT_EQ(prompts::filled("{a} {b} {", {{"a", "1 {b}"}}), "1 {b} {b} {");
}

}  // namespace
}  // namespace retort::stages
