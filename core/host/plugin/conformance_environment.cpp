// retort.environment/1: tools, rows, and sessions that do not know each other.
#include "host/algorithm/environment_call.h"
#include "host/plugin/conformance_checks.h"

namespace retort::host {
namespace {

constexpr std::int64_t asked_rows = 3;

const Json& unknown_call() {
  static const Json calls = Json::array({{{"name", "no_such_tool"}, {"arguments", Json::object()}}});
  return calls;
}

std::vector<Json> generate(const EnvironmentCall& environment, std::uint64_t seed = 7) {
  std::vector<Json> rows(static_cast<std::size_t>(asked_rows));
  rows.resize(environment.generate("train", asked_rows, seed,
                                   [&](std::size_t index, Json row) { rows[index] = std::move(row); }));
  return rows;
}

/// Whether the environment makes rows. The C++ layer's table always has generate(); a class that does not override it
/// refuses whatever it is asked.
bool makes_rows(const EnvironmentCall& environment) {
  if (!environment.can_generate()) return false;
  try {
    generate(environment);
    return true;
  } catch (const std::invalid_argument&) {
    return false;
  }
}

void check_tools(const EnvironmentCall& environment) {
  const Json tools = environment.tools();
  expect(!tools.empty(), "there are no tools");
  for (const Json& tool : tools)
    expect(tool.value("/function/name"_json_pointer, Json()).is_string(),
           "a tool has no function name: " + tool.dump());
  expect(tools == environment.tools(), "asked again, the tools are others");
}

void check_generated(const EnvironmentCall& environment) {
  if (!makes_rows(environment)) throw CheckSkipped{"it makes no rows"};
  const std::vector<Json> rows = generate(environment);
  expect(!rows.empty(), std::to_string(asked_rows) + " rows were asked for, none came");
  expect(rows == generate(environment), "the same arguments gave different rows");
  for (const char* split : {"validation", "test"}) environment.generate(split, 1, 7, [](std::size_t, const Json&) {});
}

/// The calls that answer a generated row, as execute() takes them; nothing where the row has none.
Json calls_of(const Json& row) {
  Json calls = Json::array();
  for (const Json& message : row["messages"])
    for (const Json& call : message.value("tool_calls", Json::array()))
      calls.push_back({{"id", call.value("id", "")},
                       {"name", call.at("function").at("name")},
                       {"arguments", parse_json(call.at("function").at("arguments").get<std::string>(), "arguments")}});
  return calls;
}

/// Calls that do something, where rows say what such calls are; else calls that cannot be run.
std::vector<Json> lists_of_calls(const EnvironmentCall& environment) {
  std::vector<Json> lists = {unknown_call()};
  if (!makes_rows(environment)) return lists;
  for (const Json& row : generate(environment)) lists.push_back(calls_of(row));
  return lists;
}

void check_execution(const EnvironmentCall& environment) {
  const Json nothing = environment.execute_once(Json::array());
  expect(nothing["ok"] == true, "no calls at all do not end well: " + nothing.dump());
  const Json unknown = environment.execute_once(unknown_call());
  expect(unknown["ok"] == false, "a call of an unknown tool is not an error: " + unknown.dump());
  for (const Json& bad : {Json::array({7}), Json::array({{{"name", 7}}})}) {
    const Json outcome = environment.execute_once(bad);
    expect(outcome["ok"] == false, "calls " + bad.dump() + " are not an error: " + outcome.dump());
  }
}

void check_repeated(const EnvironmentCall& environment) {
  for (const Json& calls : lists_of_calls(environment))
    expect(environment.execute_once(calls) == environment.execute_once(calls),
           "the same calls on the same world gave different outcomes: " + calls.dump());
}

/// What one session does must not be seen in another, whichever began first.
void check_independent(const EnvironmentCall& environment) {
  const Json nothing = Json::array();
  const Json untouched = environment.execute_once(nothing)["state"];
  for (const Json& calls : lists_of_calls(environment)) {
    const EnvironmentSession first(environment), second(environment);
    const Json outcome = first.execute(calls);
    expect(second.execute(nothing)["state"] == untouched, "calls of one session changed another: " + calls.dump());
    expect(second.execute(calls) == outcome, "a session's outcome depends on another session: " + calls.dump());
    expect(first.execute(nothing)["state"] == outcome["state"], "a session does not keep its state between turns");
  }
}

void check_saved(const EnvironmentCall& environment) {
  for (const Json& calls : lists_of_calls(environment)) {
    const EnvironmentSession session(environment);
    const Json after = session.execute(calls)["state"];
    std::string saved;
    try {
      saved = session.state();
    } catch (const std::invalid_argument& error) {
      throw CheckSkipped{error.what()};
    }
    const std::string start = Json{{"state", parse_json(saved, "state()")}}.dump();
    const EnvironmentSession again(environment, start);
    expect(again.execute(Json::array())["state"] == after, "a session that started from a saved state is in another");
  }
}

void check_not_json(const EnvironmentCall& environment, const Subject& subject) {
  const auto refused = [](const auto& call) {
    try {
      call();
    } catch (const std::invalid_argument&) {
      return true;
    }
    return false;
  };
  expect(refused([&] { EnvironmentSession(environment, "{"); }), "a start that is not JSON was accepted");
  const auto& table = subject.functions<retort_environment_v1>();
  const EnvironmentSession session(environment);
  expect(refused([&] { session.execute_text("[{"); }), "calls that are not JSON were accepted");
  table.end(subject.instance, nullptr);
}

}  // namespace

void check_environment(CheckLog& log, const Subject& subject) {
  const EnvironmentCall environment(subject.id, subject.instance, subject.functions<retort_environment_v1>());
  log.run(subject.id, "tools are an OpenAI tools array", [&] { check_tools(environment); });
  log.run(subject.id, "the same seed generates the same rows", [&] { check_generated(environment); });
  log.run(subject.id, "executes lists of calls", [&] { check_execution(environment); });
  log.run(subject.id, "the same calls have the same outcome", [&] { check_repeated(environment); });
  log.run(subject.id, "sessions do not know each other", [&] { check_independent(environment); });
  log.run(subject.id, "a saved state can be started from", [&] { check_saved(environment); });
  log.run(subject.id, "texts that are not JSON are refused", [&] { check_not_json(environment, subject); });
}

}  // namespace retort::host
