// The interfaces that exchange JSON: teacher, reward and environment. Teachers are never asked anything: that may cost
// money and needs a network.
#include <retort/abi/environment.h>
#include <retort/abi/reward.h>
#include <retort/abi/teacher.h>

#include <sstream>

#include "host/plugin/conformance_checks.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {
namespace {

const char* const tools_text =
    R"([{"type": "function", "function": {"name": "set_light", "description": "Turns a light on or off",
  "parameters": {"type": "object", "properties": {"room": {"type": "string"}, "on": {"type": "boolean"}},
                 "required": ["room", "on"]}}}])";

const char* const reward_items = R"([
  {"prompt": "light on in the kitchen",
   "response": {"calls": [{"name": "set_light", "arguments": {"room": "kitchen", "on": true}}]},
   "reference": {"calls": [{"name": "set_light", "arguments": {"room": "kitchen", "on": true}}]}},
  {"prompt": "light on in the kitchen",
   "response": {"calls": [{"name": "set_light", "arguments": {"room": "cellar", "on": false}}]},
   "reference": {"calls": [{"name": "set_light", "arguments": {"room": "kitchen", "on": true}}]}},
  {"prompt": "light on in the kitchen", "response": {"malformed": "not JSON"},
   "reference": {"calls": [{"name": "set_light", "arguments": {"room": "kitchen", "on": true}}]}}])";

/// `call` gets a sink and returns an error or NULL. Throws PluginError.
template <typename Call>
std::string text_of(const char* what, Call call) {
  std::string text;
  const retort_text_sink sink = sink_into(text);
  throw_if_error(call(&sink), what);
  return text;
}

template <typename Call>
void expect_refusal(Call call) {
  try {
    text_of("", call);
  } catch (const PluginError& error) {
    expect(error.code() == RETORT_ERROR_INVALID_ARGUMENT,
           "text that is not JSON gave error code " + std::to_string(error.code()) + ", expected INVALID_ARGUMENT");
    return;
  }
  throw CheckFailed{"text that is not JSON was accepted"};
}

Json array_of(const std::string& text, std::size_t size) {
  const Json json = parse_json(text, "the result");
  expect(json.is_array() && json.size() == size,
         "the result is not a JSON array of " + std::to_string(size) + " members: " + text.substr(0, 200));
  return json;
}

void check_scores(const Json& scores) {
  for (const Json& member : scores) {
    const Json score = member.value("score", Json());
    expect(score.is_number() && (score == -1 || (score >= 0 && score <= 1)),
           "a score is outside [0,1] and not -1: " + member.dump());
    expect(member.value("reason", Json()).is_string(), "a score has no reason: " + member.dump());
  }
  expect(scores[0]["score"] >= scores[1]["score"], "a wrong call scores higher than the reference itself");
  expect(scores[2]["score"] == -1, "a malformed response does not score -1: " + scores[2].dump());
}

std::string generate(const Subject& subject) {
  return text_of("generate()", [&](const retort_text_sink* sink) {
    return subject.functions<retort_environment_draft1>().generate(subject.instance, to_abi("train"), 3, 7, sink);
  });
}

void check_generated(const Subject& subject) {
  const std::string rows = generate(subject);
  expect(rows == generate(subject), "the same arguments gave different rows");
  std::istringstream lines(rows);
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count)
    expect(parse_json(line, "row " + std::to_string(count)).value("messages", Json()).is_array(),
           "row " + std::to_string(count) + " has no \"messages\"");
  expect(count > 0 && count <= 3, "3 rows were asked for, " + std::to_string(count) + " came");
}

}  // namespace

void check_teacher(CheckLog& log, const Subject& subject) {
  const auto complete = [&](const char* requests) {
    return [&subject, requests](const retort_text_sink* sink) {
      return subject.functions<retort_teacher_v1>().complete(subject.instance, to_abi(requests), sink);
    };
  };
  log.run(subject.id, "no requests give no responses", [&] { array_of(text_of("complete()", complete("[]")), 0); });
  log.run(subject.id, "requests that are not JSON are refused", [&] { expect_refusal(complete("[{")); });
}

void check_reward(CheckLog& log, const Subject& subject) {
  const auto score = [&](const char* items) {
    return [&subject, items](const retort_text_sink* sink) {
      return subject.functions<retort_reward_v1>().score(subject.instance, to_abi(tools_text), to_abi(items), sink);
    };
  };
  log.run(subject.id, "scores right, wrong and malformed responses",
          [&] { check_scores(array_of(text_of("score()", score(reward_items)), 3)); });
  log.run(subject.id, "no items give no scores", [&] { array_of(text_of("score()", score("[]")), 0); });
  log.run(subject.id, "items that are not JSON are refused", [&] { expect_refusal(score("[{")); });
}

void check_environment(CheckLog& log, const Subject& subject) {
  const auto& table = subject.functions<retort_environment_draft1>();
  const auto execute = [&](const char* batches) {
    return [&table, &subject, batches](const retort_text_sink* sink) {
      return table.execute(subject.instance, to_abi(batches), sink);
    };
  };
  log.run(subject.id, "tools are an OpenAI tools array", [&] {
    const std::string text =
        text_of("tools()", [&](const retort_text_sink* sink) { return table.tools(subject.instance, sink); });
    const Json tools = parse_json(text, "the tools");
    expect(tools.is_array() && !tools.empty(), "not a JSON array with members");
    for (const Json& tool : tools)
      expect(tool.value("/function/name"_json_pointer, Json()).is_string(),
             "a tool has no function name: " + tool.dump());
  });
  log.run(subject.id, "the same seed generates the same rows", [&] { check_generated(subject); });
  log.run(subject.id, "executes lists of calls", [&] {
    const Json outcomes =
        array_of(text_of("execute()", execute(R"([[], [{"name": "no_such_tool", "arguments": {}}]])")), 2);
    expect(outcomes[0].value("ok", Json()) == true, "no calls at all do not end well: " + outcomes[0].dump());
    expect(outcomes[1].value("ok", Json()) == false && outcomes[1].value("error", Json()).is_string(),
           "a call of an unknown tool is not an error: " + outcomes[1].dump());
  });
  log.run(subject.id, "batches that are not JSON are refused", [&] { expect_refusal(execute("[{")); });
}

}  // namespace retort::host
