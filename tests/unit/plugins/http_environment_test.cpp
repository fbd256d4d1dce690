// environment.http: the protocol's texts posted to a server of the tests, and servers that go wrong in one way each.
#include <gtest/gtest.h>

#include <map>
#include <mutex>
#include <string>

#include "fixtures.h"
#include "http_exchange.h"
#include "http_server.h"
#include "world.h"

namespace retort::environments {
namespace {

using retort::testing::HttpRequest;
using retort::testing::HttpResponse;
using retort::testing::HttpServer;
using tests::contains;
using tests::error_of;

bool go_on() {
  return false;
}

/// Counters, as tests/plugins/counter.py has them.
class Counters {
 public:
  HttpResponse answer(const HttpRequest& request) {
    const std::lock_guard lock(mutex_);
    const Json asked = Json::parse(request.body);
    Json reply = {{"id", asked.value("id", Json())}};
    const std::string method = asked["method"];
    if (method == "tools") reply["result"] = Json::parse(R"([{"type": "function", "function": {"name": "add"}}])");
    if (method == "start") sums_[asked["session"]] = asked["start"].value("state", 0);
    if (method == "start") reply["result"] = nullptr;
    if (method == "state") reply["result"] = sums_[asked["session"]];
    if (method == "generate") reply["error"] = {{"message", "no rows here"}, {"fault", "caller"}};
    if (method == "close") ++closed;
    if (method == "execute") {
      Json results = Json::array();
      for (const Json& call : asked["calls"]) {
        const int sum = sums_[asked["session"]] += call["arguments"]["by"].get<int>();
        results.push_back({{"ok", true}, {"content", std::to_string(sum)}});
      }
      const std::string state = std::to_string(sums_[asked["session"]]);
      reply["result"] = {{"ok", true}, {"error", nullptr}, {"results", results}, {"state", state}};
    }
    return {200, reply.dump(), ""};
  }
  int closed = 0;

 private:
  std::mutex mutex_;
  std::map<std::uint64_t, int> sums_;
};

World world_at(const HttpServer& server, double timeout = 20, std::size_t limit = 1 << 20, std::string key = "") {
  const HttpSettings settings{server.base_url(), std::move(key), timeout, limit};
  return World([settings] { return std::make_unique<HttpExchange>(settings, &go_on); }, 1000);
}

Json add(int by) {
  return Json::array({{{"name", "add"}, {"arguments", {{"by", by}}}}});
}

TEST(HttpWorld, SeveralTurnsOfSeveralSessions) {
  Counters counters;
  const HttpServer server([&](const HttpRequest& request) { return counters.answer(request); });
  const World world = world_at(server, 20, 1 << 20, "secret-key");
  EXPECT_TRUE(contains(world.tools(), "add"));
  {
    const auto one = world.start("{}"), other = world.start(R"({"state": 40})");
    EXPECT_EQ(one->execute(add(3))["state"], "3");
    EXPECT_EQ(other->execute(add(2))["state"], "42");
    EXPECT_EQ(one->execute(add(4))["results"][0]["content"], "7");
    EXPECT_EQ(one->state(), 7);
  }
  EXPECT_EQ(counters.closed, 2);
  EXPECT_THROW(world.generate("train", 1, 1, [](std::uint64_t, const std::string&) {}), std::invalid_argument);
  EXPECT_TRUE(contains(server.log().front().head, "Authorization: Bearer secret-key"));
}

TEST(HttpWorld, AMovedAddressIsFollowed) {
  const HttpServer server([](const HttpRequest& request) -> HttpResponse {
    if (!request.head.starts_with("POST /v1/moved ")) return {307, "", "Location: /v1/moved\r\n"};
    return {200, Json{{"id", Json::parse(request.body)["id"]}, {"result", Json::array()}}.dump(), ""};
  });
  EXPECT_EQ(world_at(server).tools(), "[]");
}

/// What `tools` of a server that answers so ends with.
std::string failure_of(const HttpResponse& response, std::size_t limit = 1 << 20) {
  const HttpServer server([&](const HttpRequest&) { return response; });
  const World world = world_at(server, 20, limit, "secret-key");
  return error_of([&] { world.tools(); });
}

TEST(HttpWorld, FaultsAreNamed) {
  EXPECT_TRUE(
      contains(failure_of({500, "out of order, secret-key", ""}), "answered with status 500: \"out of order, ***\""));
  EXPECT_TRUE(contains(failure_of({401, "who?", ""}), "is api_key right?"));
  EXPECT_TRUE(contains(failure_of({200, "<html>", ""}), "something else than a line of JSON in UTF-8: \"<html>\""));
  EXPECT_TRUE(contains(failure_of({200, R"({"id": 77})", ""}), "without its number"));
  EXPECT_TRUE(
      contains(failure_of({200, std::string(4096, 'x'), ""}, 1024), "longer than \"output_limit\" allows, 1024 bytes"));
  const World nobody([] { return std::make_unique<HttpExchange>(HttpSettings{"http://127.0.0.1:1/"}, &go_on); });
  EXPECT_TRUE(contains(error_of([&] { nobody.tools(); }), "'http://127.0.0.1:1/': "));
  EXPECT_THROW(HttpExchange(HttpSettings{"ftp://there"}, &go_on), std::invalid_argument);
  EXPECT_THROW(HttpExchange(HttpSettings{"http://there", "key\n"}, &go_on), std::invalid_argument);
}

TEST(HttpWorld, ASilentServerIsGivenUpInTime) {
  HttpServer* there = nullptr;
  HttpServer server([&](const HttpRequest&) {
    there->hold();
    return HttpResponse{};
  });
  there = &server;
  const World world = world_at(server, 0.3);
  EXPECT_TRUE(contains(error_of([&] { world.tools(); }), "did not answer within 0.3 s; raise \"timeout\""));
}

}  // namespace
}  // namespace retort::environments
