// The prototype's functions with teachers made for the purpose: what each is asked, what it leaves, and the funnel.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../../plugins/stage/common/votes.h"
#include "fixtures.h"
#include "labelled_rows.h"

namespace retort::stages {
namespace {

using nlohmann::json;

const json lamp_tools = json::parse(R"([
  {"type":"function","function":{"name":"lamp_set","description":"turns a lamp on or off","parameters":{"type":"object",
    "properties":{"room":{"type":"string","enum":["hall","attic"]},"on":{"type":"boolean"}},
    "required":["room","on"],"additionalProperties":false}}},
  {"type":"function","function":{"name":"door_lock","description":"locks a door","parameters":{"type":"object",
    "properties":{},"additionalProperties":false}}}])");

json reply(json message, const char* reason = "stop") {
  message["role"] = "assistant";
  return {{"choices", {{{"message", message}, {"finish_reason", reason}}}},
          {"cost", {{"requests", 1}, {"input_tokens", 10}, {"output_tokens", 5}, {"usd", 0.5}, {"cached", false}}}};
}
json text(const std::string& content) {
  return reply({{"content", content}});
}
json call(const std::string& name, const json& arguments) {
  return reply(
      {{"content", ""},
       {"tool_calls",
        {{{"id", "c1"}, {"type", "function"}, {"function", {{"name", name}, {"arguments", arguments.dump()}}}}}}},
      "tool_calls");
}

/// A teacher that answers as `answer` says, and remembers what it was asked.
struct Script {
  std::function<json(const json& request)> answer;
  std::vector<json> asked;
  Complete complete() {
    return [this](std::string_view, std::string_view requests, std::size_t, const auto& take) {
      const json all = json::parse(requests);
      for (std::size_t i = 0; i < all.size(); ++i) {
        asked.push_back(all[i]);
        take(i, answer(all[i]));
      }
    };
  }
};

std::string last_text(const json& request) {
  return request["messages"].back()["content"];
}

class Functions : public ::testing::Test {
 protected:
  Functions() {
    components_.score = [](std::string_view, std::string_view items, std::size_t count, const auto& take) {
      const json all = json::parse(items);
      for (std::size_t i = 0; i < count; ++i) {
        const bool right = !all[i].contains("execution") || all[i]["execution"]["ok"] == true;
        take(i, {{right ? 1.0 : 0.0}, false, right ? "" : "the world refused", ""});
      }
    };
    // The attic has no lamp.
    components_.execute = [](const json& calls) {
      const bool ok = calls.empty() || calls[0]["arguments"].value("room", "") != "attic";
      return json{{"ok", ok},
                  {"error", ok ? json() : json("no lamp in the attic")},
                  {"results", {{{"ok", ok}, {"content", ok ? "the lamp is on" : "no lamp in the attic"}}}},
                  {"state", "s"}};
    };
  }
  Labelled run(const std::vector<std::string>& utterances, std::vector<Function> functions) {
    examples_.clear();
    for (const std::string& utterance : utterances) examples_.push_back({utterance, std::nullopt, {}});
    components_.complete = first_.complete();
    components_.teachers = {second_.complete()};
    options_.functions = std::move(functions);
    expect_functions(options_.functions, 2, true);
    return label(examples_, task::tools_from_json(lamp_tools, "tools"), components_, options_, [](std::size_t) {});
  }
  static Function function(const std::string& kind) {
    Function made;
    made.name = made.kind = kind;
    return made;
  }

  PrototypeComponents components_;
  PrototypeOptions options_;
  Script first_, second_;
  std::vector<task::Example> examples_;
};

TEST(Vote, TheLargestGroupWinsAndTheEarlierOfTwo) {
  EXPECT_EQ(vote({"a", "b", "b"}).winner, 1U);
  EXPECT_DOUBLE_EQ(vote({"a", "b", "b"}).solve_rate(), 2.0 / 3);
  EXPECT_EQ(vote({"", "b", "a"}).winner, 1U);
  EXPECT_DOUBLE_EQ(vote({"", "", "a"}).solve_rate(), 1.0 / 3);  // what is no answer does not agree with itself
  EXPECT_EQ(vote({"", ""}).winner, 0U);
  EXPECT_EQ(vote({"", ""}).solve_rate(), 0);
}

TEST_F(Functions, RewritesRoutesAndCalls) {
  second_.answer = [](const json& request) {
    return last_text(request).starts_with("Plain: ") ? text("turn on the hall lamp") : text("I need `lamp_set`.");
  };
  first_.answer = [](const json&) { return call("lamp_set", {{"room", "hall"}, {"on", true}}); };
  Function rewrite = function("rewrite"), route = function("route"), make = function("call");
  rewrite.prompt = "Plain: {utterance} {unknown} {";
  rewrite.teacher = route.teacher = 1;
  make.prompt = "Use {tools}";
  const Labelled result = run({"uh, hall, light?"}, {rewrite, route, make});
  EXPECT_EQ(last_text(second_.asked.at(0)), "Plain: uh, hall, light? {unknown} {");
  EXPECT_EQ(second_.asked.at(0)["tools"], json::array());
  EXPECT_NE(last_text(second_.asked.at(1)).find("door_lock: locks a door\n\nRequest"), std::string::npos)
      << second_.asked.at(1);
  ASSERT_EQ(first_.asked.size(), 1U);
  EXPECT_EQ(last_text(first_.asked[0]), "turn on the hall lamp");
  EXPECT_EQ(first_.asked[0]["messages"][0],
            (json{{"role", "system"}, {"content", "Use lamp_set: turns a lamp on or off\n"}}));
  ASSERT_EQ(first_.asked[0]["tools"].size(), 1U);
  ASSERT_EQ(result.accepted.size(), 1U);
  EXPECT_EQ(result.accepted[0].utterance(), "uh, hall, light?");  // as the person said it
  EXPECT_EQ(result.accepted[0].calls->at(0).name, "lamp_set");
  EXPECT_EQ(result.cost.requests, 3);
  EXPECT_DOUBLE_EQ(result.cost.usd, 1.5);
}

TEST_F(Functions, SamplesVoteAndTheShareThatAgreesIsKept) {
  first_.answer = [](const json& request) {
    const json sample = request.value("sample", json(0));
    if (sample == 0) return text("not sure");
    if (sample == 1) return call("lamp_set", {{"on", true}, {"room", "hall"}});
    if (sample == 2) return call("lamp_set", {{"room", "hall"}, {"on", true}});
    if (sample == 3) return reply({{"content", "cut"}}, "length");
    return json{{"error", "busy"}};
  };
  Function make = function("call");
  make.samples = 5;
  Labelled result = run({"hall lamp on"}, {make});
  EXPECT_EQ(first_.asked.size(), 5U);
  ASSERT_EQ(result.accepted.size(), 1U);
  EXPECT_EQ(result.accepted[0].calls->size(), 1U);
  EXPECT_EQ(result.accepted[0].metadata["solve_rate"], 0.4);
  options_.least_solve_rate = 0.5;
  result = run({"hall lamp on"}, {make});
  EXPECT_EQ(result.rejected.at(0).reason, "difficulty: solve rate 0.4, expected 0.5 to 1.0");
  EXPECT_EQ(result.funnel.at("semantics"), 1);
  EXPECT_EQ(result.funnel.at("difficulty"), 0);
}

TEST_F(Functions, RepairSendsTheErrorBackSoOftenAtMost) {
  first_.answer = [](const json& request) {
    const std::string last = last_text(request);
    if (last.find("no lamp in the attic") != std::string::npos)
      return call("lamp_set", {{"room", "hall"}, {"on", true}});
    if (last.find("That cannot be done") != std::string::npos)
      return call("lamp_set", {{"room", "attic"}, {"on", true}});
    return call("lamp_set", {{"room", "cellar"}, {"on", true}});  // not in the schema
  };
  for (const std::int64_t repairs : {0, 1, 2, 5}) {
    first_.asked.clear();
    Function repair = function("repair");
    repair.repairs = repairs;
    const Labelled result = run({"lamp on"}, {function("call"), function("execute"), repair});
    EXPECT_EQ(first_.asked.size(), 1 + std::min<std::size_t>(static_cast<std::size_t>(repairs), 2)) << repairs;
    EXPECT_EQ(result.accepted.size(), repairs >= 2 ? 1U : 0U) << repairs;
    if (repairs >= 2) {
      EXPECT_EQ(result.accepted[0].metadata["repairs"], 2);
    } else {
      EXPECT_EQ(result.rejected_by.begin()->first, repairs == 0 ? "schema" : "execution");
    }
  }
  const json& messages = first_.asked.back()["messages"];  // what was said, its results, what is wrong: twice
  ASSERT_EQ(messages.size(), 7U);
  EXPECT_EQ(messages[1]["tool_calls"][0]["function"]["arguments"], R"({"on":true,"room":"cellar"})");
  EXPECT_EQ(messages[2]["role"], "tool");
  EXPECT_EQ(messages[2]["tool_call_id"], "c1");
}

TEST_F(Functions, BranchesOnResultsAndAnswersInATurnOfItsOwn) {
  first_.answer = [](const json& request) {
    return last_text(request) == "hello" ? text("hi") : call("lamp_set", {{"room", "hall"}, {"on", true}});
  };
  second_.answer = [](const json&) { return text("The lamp is on."); };
  Function answer = function("answer");
  answer.teacher = 1;
  answer.when = {"call=calls", "execute!=failed"};
  const Labelled result = run({"hello", "hall lamp on"}, {function("call"), function("execute"), answer});
  ASSERT_EQ(second_.asked.size(), 1U);
  EXPECT_EQ(second_.asked[0]["messages"].back()["content"], "the lamp is on");
  ASSERT_EQ(result.accepted.size(), 3U);
  EXPECT_EQ(result.accepted[0].text, "hi");
  EXPECT_EQ(result.accepted[1].calls->size(), 1U);
  EXPECT_TRUE(result.accepted[2].calls->empty());
  EXPECT_EQ(result.accepted[2].text, "The lamp is on.");
  EXPECT_EQ(result.accepted[2].messages.size(), 3U);
}

TEST_F(Functions, TheFunnelCountsWhatPassesEachStep) {
  const std::map<std::string, json> answers = {
      {"error", json{{"error", "down"}}},
      {"cut", reply({{"content", "…"}}, "length")},
      {"bad",
       reply({{"content", ""},
              {"tool_calls", {{{"id", "1"}, {"type", "function"}, {"function", {{"name", "f"}, {"arguments", "{"}}}}}}},
             "tool_calls")},
      {"unknown", call("oven_set", json::object())},
      {"attic", call("lamp_set", {{"room", "attic"}, {"on", true}})},
      {"good", call("door_lock", json::object())}};
  first_.answer = [&](const json& request) { return answers.at(last_text(request)); };
  const Labelled result = run({"error", "cut", "bad", "unknown", "attic", "good"}, {});
  EXPECT_EQ(result.funnel,
            (std::map<std::string, std::int64_t>{
                {"answered", 5}, {"format", 3}, {"schema", 2}, {"execution", 1}, {"semantics", 1}, {"difficulty", 1}}));
  const std::vector<std::pair<std::string, std::string>> expected = {{"teacher_error: down", "answered"},
                                                                     {"length: ", "format"},
                                                                     {"malformed: ", "format"},
                                                                     {"schema: ", "schema"},
                                                                     {"execution: ", "execution"}};
  ASSERT_EQ(result.rejected.size(), expected.size());
  for (const task::RejectedRow& row : result.rejected) {
    const auto& [reason, step] = expected.at(static_cast<std::size_t>(row.line - 1));
    EXPECT_TRUE(row.reason.starts_with(reason)) << row.reason;
    EXPECT_EQ(json::parse(row.text)["metadata"]["rejected_at"], step) << row.text;
  }
}

TEST_F(Functions, EveryRequestIsKeptByItsPlace) {
  const tests::TemporaryFolder folder;
  AnswerJournal journal(folder / "answers.jsonl");
  options_.journal = &journal;
  first_.answer = [](const json&) { return call("lamp_set", {{"room", "attic"}, {"on", true}}); };
  Function make = function("call"), repair = function("repair");
  make.samples = 3;
  repair.repairs = 2;
  run({"a", "b"}, {make, function("execute"), repair});
  EXPECT_EQ(first_.asked.size(), 10U);
  AnswerJournal known(folder / "answers.jsonl");
  options_.journal = &known;
  const Labelled result = run({"a", "b"}, {make, function("execute"), repair});
  EXPECT_EQ(first_.asked.size(), 10U);
  EXPECT_EQ(result.cost.cached, 10);
  EXPECT_EQ(result.cost.requests, 0);
}

TEST_F(Functions, AToolThatIsNoSchemaCostsItsRowsAlone) {
  first_.answer = [](const json& request) {
    return last_text(request) == "bad" ? call("f", {{"x", 1}}) : call("door_lock", json::object());
  };
  components_.complete = first_.complete();
  examples_ = {{"bad", std::nullopt, {}}, {"good", std::nullopt, {}}};
  examples_[0].tools = std::make_shared<const std::vector<task::Tool>>(
      std::vector<task::Tool>{{"f", "", json::parse(R"({"type":"object","properties":{"x":{"type":"integr"}}})")}});
  const Labelled result =
      label(examples_, task::tools_from_json(lamp_tools, "tools"), components_, options_, [](std::size_t) {});
  EXPECT_EQ(result.accepted.size(), 1U);
  ASSERT_EQ(result.rejected.size(), 1U);
  EXPECT_NE(result.rejected[0].reason.find("schema: the parameters of tool \"f\" are no schema"), std::string::npos)
      << result.rejected[0].reason;
  EXPECT_NE(result.rejected[0].reason.find("/properties/x"), std::string::npos) << result.rejected[0].reason;
}

TEST(FunctionList, SaysWhatCannotBe) {
  const auto finding = [](std::vector<Function> functions, bool executes = true) {
    try {
      expect_functions(functions, 1, executes);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const Function call{"call", "call", "", 0, {}, 1, 1, {}};
  const Function execute{"execute", "execute", "", 0, {}, 1, 1, {}};
  EXPECT_EQ(finding({}), "");
  EXPECT_EQ(finding({call, execute}), "");
  EXPECT_EQ(finding({call, execute}, false), "functions/1 (execute): needs an environment, and the slot is empty");
  EXPECT_NE(finding({execute, call}).find("functions/0 (execute): stands before the first call"), std::string::npos);
  EXPECT_NE(finding({call, call}).find("the name stands twice"), std::string::npos);
  EXPECT_NE(finding({{"call", "call", "", 1, {}, 1, 1, {}}}).find("more teachers"), std::string::npos);
  EXPECT_NE(finding({{"a", "dance", "", 0, {}, 1, 1, {}}}).find("found \"dance\""), std::string::npos);
  EXPECT_NE(finding({call, {"e", "execute", "", 0, {}, 1, 1, {"later=ok"}}}).find("found \"later=ok\""),
            std::string::npos);
  EXPECT_NE(finding({{"r", "rewrite", "", 0, {}, 1, 1, {}}}).find("expected a call"), std::string::npos);
}

}  // namespace
}  // namespace retort::stages
