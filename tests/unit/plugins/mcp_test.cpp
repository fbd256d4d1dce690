// environment.mcp: a server of the tests (tests/plugins/mcp_server.py) that goes wrong in one way each, streamable HTTP
// from a server of the tests, and the reference implementation (package mcp) over both ways.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "fixtures.h"
#include "host/base/json.h"
#include "host/plugin/conformance.h"
#include "http_server.h"
#include "server_world.h"

namespace retort::mcp {
namespace {

using retort::testing::HttpRequest;
using retort::testing::HttpResponse;
using retort::testing::HttpServer;
using tests::contains;
using tests::error_of;

constexpr const char* current = "2025-11-25";

bool keep_going() {
  return false;
}

Json calls(const std::string& name, const Json& arguments) {
  return Json::array({{{"id", "c1"}, {"name", name}, {"arguments", arguments}}});
}

class McpServer : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::system("python3 -c '' 2>/dev/null") != 0) GTEST_SKIP() << "the servers need python3";
  }
  static Connect notes(std::vector<std::string> arguments = {}, double timeout = 20, std::string version = current) {
    const environments::Settings settings{std::string(TEST_PLUGINS) + "/mcp_server.py", std::move(arguments), timeout,
                                          std::size_t{1} << 20U};
    return [=] { return std::make_unique<Client>(stdio_transport(settings, &keep_going), version); };
  }
};

TEST_F(McpServer, PagesOfToolsBecomeOpenAiTools) {
  const ServerWorld world(notes(), Isolation::own, {});
  const Json tools = Json::parse(world.tools());
  ASSERT_EQ(tools.size(), 3U);
  EXPECT_EQ(tools[0]["type"], "function");
  EXPECT_EQ(tools[0]["function"]["name"], "note");
  EXPECT_EQ(tools[0]["function"]["description"], "writes a note down");
  EXPECT_EQ(tools[0]["function"]["parameters"]["required"], Json::array({"text"}));
  EXPECT_EQ(tools[1]["function"]["parameters"], (Json{{"type", "object"}, {"properties", Json::object()}}));
  EXPECT_EQ(tools[2]["function"]["description"], "a picture");
  const ServerWorld some(notes(), Isolation::own, {"read"});
  EXPECT_EQ(Json::parse(some.tools()).size(), 1U);
  EXPECT_TRUE(contains(error_of([] { ServerWorld(notes(), Isolation::own, {"fly"}).tools(); }), "no tool \"fly\""));
}

TEST_F(McpServer, SessionsOfSeveralTurnsDoNotKnowEachOther) {
  const ServerWorld world(notes(), Isolation::own, {});
  const auto one = world.start("{}"), other = world.start("{}");
  EXPECT_EQ(one->execute(calls("note", {{"text", "milk"}}))["results"][0],
            (Json{{"id", "c1"}, {"ok", true}, {"content", "1 notes"}}));
  const Json two = one->execute(calls("note", {{"text", "eggs"}}));
  EXPECT_EQ(two["results"][0]["content"], "2 notes");
  EXPECT_EQ(one->execute(calls("read", Json::object()))["state"], two["state"]);  // reading changes nothing
  EXPECT_EQ(other->execute(calls("note", {{"text", "tea"}}))["results"][0]["content"], "1 notes");
  const auto again = world.start(Json{{"state", one->state()}}.dump());
  const Json read = again->execute(calls("read", Json::object()));
  EXPECT_EQ(read["results"][0]["content"], R"({"notes":["milk","eggs"]})");
  EXPECT_EQ(read["state"], two["state"]);
  const ServerWorld common(notes(), Isolation::shared, {});
  common.start("{}")->execute(calls("note", {{"text", "milk"}}));
  EXPECT_EQ(common.start("{}")->execute(calls("note", {{"text", "tea"}}))["results"][0]["content"], "2 notes");
  EXPECT_THROW(common.start("{}")->state(), std::invalid_argument);
}

TEST_F(McpServer, WhatIsRefusedIsAResult) {
  const ServerWorld world(notes(), Isolation::own, {});
  const Json outcome = world.start("{}")->execute(
      Json::parse(R"([{"name": "note", "arguments": {"text": 7}}, {"name": "read", "arguments": {}}])"));
  EXPECT_EQ(outcome["ok"], false);
  EXPECT_EQ(outcome["error"], "note wants a text");  // isError
  EXPECT_EQ(outcome["results"][1]["content"], "not run, because a call before it failed");
  EXPECT_EQ(world.start("{}")->execute(calls("fly", Json::object()))["error"], "there is no tool \"fly\"");
  EXPECT_EQ(world.start("{}")->execute(calls("note", 7))["ok"], false);
  EXPECT_EQ(world.start("{}")->execute(Json::array({7}))["ok"], false);
  EXPECT_EQ(world.start("{}")->execute(calls("picture", Json::object()))["results"][0]["content"],
            "here\n[image image/png]");
  EXPECT_EQ(ServerWorld(notes({"--fault", "error"}), Isolation::own, {})
                .start("{}")
                ->execute(calls("read", Json::object()))["error"],
            "the pen is broken");
}

TEST_F(McpServer, VersionsAreAgreedOn) {
  EXPECT_EQ(notes()()->version(), current);
  EXPECT_EQ(notes({"--version", "2024-11-05"})()->version(), "2024-11-05");
  EXPECT_TRUE(contains(error_of([] { notes({"--version", "1999-01-01"})(); }), "\"protocolVersion\" of 2024-11-05"));
  const auto stateless = notes({"--stateless"})();
  EXPECT_EQ(stateless->version(), "2026-07-28");
  EXPECT_EQ(stateless->tools().size(), 3U);
  EXPECT_EQ(stateless->call("note", {{"text", "milk"}}).content, "1 notes");
  EXPECT_EQ(notes({"--stateless"}, 20, "2026-07-28")()->version(), "2026-07-28");
  EXPECT_TRUE(contains(error_of([] { notes({}, 20, "2026-07-28")(); }), "knows no version 2026-07-28"));
}

TEST_F(McpServer, ALogAPingAndANotificationAreNoAnswer) {
  const auto client = notes({"--chatty"})();
  EXPECT_EQ(client->tools().size(), 3U);
  EXPECT_EQ(client->call("note", {{"text", "milk"}}).content, "1 notes");
}

TEST_F(McpServer, FaultsAreNamed) {
  const auto failure = [](const char* fault, double timeout = 20) {
    const ServerWorld world(notes({"--fault", fault}, timeout), Isolation::own, {});
    const auto session = world.start("{}");
    return error_of([&] { session->execute(calls("read", Json::object())); });
  };
  EXPECT_TRUE(
      contains(failure("exit"),
               "ended with exit code 3 instead of answering; the last that it wrote to standard error: no paper left"))
      << failure("exit");
  EXPECT_TRUE(contains(failure("hang", 3), "did not answer within 3 s")) << failure("hang", 3);
  EXPECT_TRUE(contains(failure("flood"), "bytes without a line end; \"output_limit\" allows 1048576"))
      << failure("flood");
  EXPECT_TRUE(contains(failure("garbage"), "1000 lines that are no response")) << failure("garbage");
}

TEST_F(McpServer, KeepsTheContract) {
  const host::ConformanceReport report = host::check_plugin(
      MCP_PLUGIN, 120, Json{{"environment.mcp", {{"script", std::string(TEST_PLUGINS) + "/mcp_server.py"}}}});
  for (const host::ConformanceCheck& check : report.checks)
    EXPECT_TRUE(check.outcome == "passed" || contains(check.detail, "it makes no rows"))
        << check.name << ": " << check.detail;
  EXPECT_GE(report.checks.size(), 10U);
}

TEST(ServerSentEvents, AreTakenApartAsTheyCome) {
  EventReader reader;
  std::string text = ": comment\nevent: message\nid: 7\nda";
  EXPECT_TRUE(reader.take(text).empty());
  text += "ta: {\"a\":\ndata:1}\r\n\r";
  EXPECT_TRUE(reader.take(text).empty());
  text += "\n\ndata: x\n\n";
  EXPECT_EQ(reader.take(text), (std::vector<std::string>{"{\"a\":\n1}", "x"}));
  EXPECT_EQ(reader.last_id(), "7");
  text += "id: 8\nretry: 250\ndata: half";
  EXPECT_TRUE(reader.take(text).empty());
  EXPECT_EQ(reader.last_id(), "7");  // event 8 is not whole
  EXPECT_EQ(reader.retry(), 0.25);
  reader.restart();
  EXPECT_EQ(reader.take("data: y\n\n"), std::vector<std::string>{"y"});
  EXPECT_EQ(reader.last_id(), "7");
}

/// A server of streamable HTTP: answers as events where `events`, else as JSON; one session.
HttpResponse streamable(const HttpRequest& request, bool events) {
  if (request.head.starts_with("DELETE")) return {200, "", ""};
  const Json asked = Json::parse(request.body);
  if (!asked.contains("method")) return {202, "", ""};  // an answer to the server's ping
  const std::string method = asked["method"];
  const bool first = method == "initialize";
  if (!first && !contains(request.head, "Mcp-Session-Id: s1")) return {400, "no session", ""};
  if (!first && !contains(request.head, "MCP-Protocol-Version: 2025-06-18")) return {400, "no version", ""};
  if (!contains(request.head, "Accept: application/json, text/event-stream")) return {406, "", ""};
  if (!asked.contains("id")) return {202, "", ""};
  Json reply = {{"jsonrpc", "2.0"}, {"id", asked["id"]}};
  if (first) reply["result"] = {{"protocolVersion", "2025-06-18"}, {"capabilities", {{"tools", Json::object()}}}};
  if (method == "tools/list") reply["result"] = {{"tools", {{{"name", "add"}, {"inputSchema", {{"type", "object"}}}}}}};
  if (method == "tools/call") {
    if (asked["params"]["arguments"].contains("lost")) return {404, "no such session", ""};
    if (asked["params"]["arguments"].contains("cut"))
      return {200, ": nothing\n\n", "Content-Type: text/event-stream\r\n"};
    reply["result"] = {{"content", {{{"type", "text"}, {"text", "done"}}}}};
  }
  const std::string session = first ? "Mcp-Session-Id: s1\r\n" : "";
  if (!events) return {200, reply.dump(), session + "Content-Type: application/json\r\n"};
  return {200,
          "data: {\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"ping\"}\n\nevent: message\ndata: " + reply.dump() + "\n\n",
          session + "Content-Type: text/event-stream\r\n"};
}

Connect at(const std::string& url, const std::string& version = current) {
  const environments::HttpSettings settings{url, "", 20, std::size_t{1} << 20U};
  return [=] { return std::make_unique<Client>(http_transport(settings, &keep_going), version); };
}

TEST(StreamableHttp, AnswersComeAsJsonOrAsEvents) {
  for (const bool events : {false, true}) {
    const HttpServer server([=](const HttpRequest& request) { return streamable(request, events); });
    {
      const auto client = at(server.base_url())();
      EXPECT_EQ(client->version(), "2025-06-18");
      EXPECT_EQ(client->tools().size(), 1U);
      EXPECT_EQ(client->call("add", Json::object()).content, "done");
    }
    const auto log = server.log();
    EXPECT_TRUE(log.back().head.starts_with("DELETE"));
    EXPECT_TRUE(contains(log.back().head, "Mcp-Session-Id: s1"));
    std::size_t pongs = 0;
    for (const HttpRequest& request : log) pongs += contains(request.body, "\"id\":9") ? 1 : 0;
    EXPECT_EQ(pongs, events ? 3U : 0U);
  }
}

TEST(StreamableHttp, FaultsAreNamed) {
  const HttpServer server([](const HttpRequest& request) { return streamable(request, false); });
  const auto failure = [&](const char* key) {
    const ServerWorld world(at(server.base_url()), Isolation::own, {});
    return error_of([&] { world.start("{}")->execute(calls("add", {{key, true}})); });
  };
  EXPECT_TRUE(contains(failure("lost"), "status 404: \"no such session\"; the server has forgotten the session"));
  EXPECT_TRUE(contains(failure("cut"), "ended its stream before it answered"));
  EXPECT_TRUE(contains(error_of([] { at("http://127.0.0.1:1/mcp")(); }), "'http://127.0.0.1:1/mcp': "));
}

/// A server whose stream of a call ends before its result: `head` is how far the first part goes, `resumed` what it
/// gives for each Last-Event-ID, as many times as there are texts.
struct BrokenStream {
  HttpResponse first;
  std::map<std::string, std::vector<HttpResponse>> resumed;
  std::mutex mutex;
  HttpResponse operator()(const HttpRequest& request) {
    const std::lock_guard lock(mutex);
    if (request.head.starts_with("GET")) {
      if (!contains(request.head, "Mcp-Session-Id: s1") || !contains(request.head, "Accept: ")) return {400, "", ""};
      const std::size_t begin = request.head.find("Last-Event-ID: ") + 15;
      auto& answers = resumed[request.head.substr(begin, request.head.find('\r', begin) - begin)];
      if (answers.empty()) return {405, "", ""};
      HttpResponse answer = answers.front();
      if (answers.size() > 1) answers.erase(answers.begin());
      return answer;
    }
    return contains(request.body, "tools/call") ? first : streamable(request, false);
  }
};

constexpr const char* event_stream = "Content-Type: text/event-stream\r\n";

std::string result_event(const char* id) {
  return std::string("id: ") + id +
         "\ndata: {\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"found\"}]}}\n\n";
}

TEST(StreamableHttp, AStreamThatBreaksGoesOnBehindItsLastEvent) {
  const std::string progress = "data: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\"}\n\n";
  BrokenStream server;
  // Events 1 and 2, and half of another; as many spaces, so that the connection is cut between the two.
  const std::string part = "retry: 10\nid: 1\ndata:\n\nid: 2\n" + progress + "id: 9\ndata: ha";
  server.first = {200, part + std::string(part.size(), ' '), event_stream, HttpResponse::Delivery::cut};
  server.resumed["2"] = {{200, "id: 3\n" + progress, event_stream}};  // closed by the server: polled for
  server.resumed["3"] = {{200, ": nothing new\n\n", event_stream}, {200, result_event("4"), event_stream}};
  const HttpServer http([&](const HttpRequest& request) { return server(request); });
  const auto client = at(http.base_url())();
  EXPECT_EQ(client->call("add", Json::object()).content, "found");
  std::size_t posts = 0, gets = 0;
  for (const HttpRequest& request : http.log()) {
    posts += contains(request.body, "tools/call") ? 1 : 0;
    gets += request.head.starts_with("GET") ? 1 : 0;
  }
  EXPECT_EQ(posts, 1U);  // the tool acted once
  EXPECT_EQ(gets, 3U);
}

TEST(StreamableHttp, AStreamThatCannotGoOnIsNamed) {
  const auto failure = [](HttpResponse first, std::map<std::string, std::vector<HttpResponse>> resumed) {
    BrokenStream server{std::move(first), std::move(resumed), {}};
    const HttpServer http([&](const HttpRequest& request) { return server(request); });
    const auto client = at(http.base_url())();
    return error_of([&] { client->call("add", Json::object()); });
  };
  const HttpResponse broken{200, "data: x\n\n" + std::string(200, ' '), event_stream, HttpResponse::Delivery::cut};
  EXPECT_TRUE(contains(failure(broken, {}), "broke off its answer: ")) << failure(broken, {});
  const HttpResponse ended{200, "retry: 10\nid: 1\ndata:\n\n", event_stream};
  EXPECT_TRUE(contains(failure(ended, {}), "does not take it up again: status 405")) << failure(ended, {});
  const HttpResponse nothing{200, ": nothing\n\n", event_stream};
  EXPECT_TRUE(contains(failure(ended, {{"1", {nothing}}}), "ended its stream before it answered"));
}

/// The package mcp in the virtual environment that tests/plugins/mcp-reference makes; skipped where there is none.
class ReferenceServer : public McpServer {
 protected:
  void SetUp() override {
    McpServer::SetUp();
    if (IsSkipped()) return;
    if (!std::filesystem::exists(folder() + "/ready"))
      GTEST_SKIP() << "the package mcp is not in " << folder() << "; tests/plugins/mcp-reference puts it there";
  }
  static std::string folder() {
    const char* cache = std::getenv("XDG_CACHE_HOME");
    const char* home = std::getenv("HOME");
    return (cache != nullptr ? std::string(cache) : std::string(home != nullptr ? home : "") + "/.cache") +
           "/retort-tests/mcp-reference";
  }
  static std::string python() { return folder() + "/bin/python"; }
  static std::string server() { return std::string(TEST_PLUGINS) + "/mcp_reference.py"; }

  static void use(const Connect& connect) {
    const ServerWorld world(connect, Isolation::own, {});
    const Json tools = Json::parse(world.tools());
    ASSERT_EQ(tools.size(), 3U);
    EXPECT_EQ(tools[0]["function"]["name"], "add");
    EXPECT_EQ(tools[0]["function"]["parameters"]["properties"]["a"]["type"], "integer");
    const auto session = world.start("{}");
    EXPECT_EQ(session->execute(calls("add", {{"a", 2}, {"b", 40}}))["results"][0]["content"], "42");
    const Json failed = session->execute(calls("fail", Json::object()));
    EXPECT_EQ(failed["ok"], false);
    EXPECT_TRUE(contains(failed["error"], "as it must")) << failed.dump();
    EXPECT_EQ(session->execute(calls("add", {{"a", "two"}}))["ok"], false);
  }
};

TEST_F(ReferenceServer, OverStandardInputAndOutput) {
  const environments::Settings settings{python(), {server(), "stdio"}, 60, std::size_t{1} << 20U};
  const auto connect = [&](const char* version) -> Connect {
    return [=] { return std::make_unique<Client>(stdio_transport(settings, &keep_going), version); };
  };
  use(connect(current));
  const ServerWorld world(connect(current), Isolation::own, {});
  const auto one = world.start("{}"), other = world.start("{}");
  EXPECT_EQ(one->execute(calls("remember", {{"by", 5}}))["results"][0]["content"], "5");
  EXPECT_EQ(other->execute(calls("remember", {{"by", 2}}))["results"][0]["content"], "2");
  EXPECT_EQ(one->execute(calls("remember", {{"by", 5}}))["results"][0]["content"], "10");
}

int free_port() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  const bool bound = ::bind(descriptor, generic, size) == 0 && ::getsockname(descriptor, generic, &size) == 0;
  ::close(descriptor);
  return bound ? ntohs(address.sin_port) : 0;
}

TEST_F(ReferenceServer, OverStreamableHttp) {
  const std::string port = std::to_string(free_port());
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(python().c_str(), python().c_str(), server().c_str(), "http", port.c_str(), nullptr);
    ::_exit(127);
  }
  const std::string url = "http://127.0.0.1:" + port + "/mcp";
  std::string failure = "not started";
  for (int i = 0; i < 600 && !failure.empty(); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    failure = error_of([&] { at(url)(); });
  }
  EXPECT_EQ(failure, "");
  if (failure.empty()) {
    use(at(url));
    EXPECT_EQ(at(url)()->version(), current);
    const std::string stateless = error_of([&] {
      const auto client = at(url, "2026-07-28")();
      EXPECT_EQ(client->call("add", {{"a", 1}, {"b", 2}}).content, "3");
    });
    // versions of the package before 2.0 know no such protocol
    EXPECT_TRUE(stateless.empty() || contains(stateless, "knows no version") || contains(stateless, "status 4"))
        << stateless;
  }
  ::kill(child, SIGTERM);
  ::waitpid(child, nullptr, 0);
}

}  // namespace
}  // namespace retort::mcp
