// What teacher.openai may send and when: budgets, limits a minute, windows of requests at once, several endpoints.
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>

#include "fixtures.h"
#include "openai_fixture.h"

namespace retort::openai {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string failure_of_asking(const Settings& with, const std::string& texts) {
  try {
    ask(with, texts);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

TEST(TokenBucket, GivesItsRateInTheLongRunAndTenSecondsAtOnce) {
  TokenBucket bucket(60);  // one a second, ten at once
  Clock::time_point now{};
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(bucket.wait(1, now), 0) << i;
    bucket.take(1);
  }
  EXPECT_NEAR(bucket.wait(1, now), 1, 1e-6);
  EXPECT_NEAR(bucket.wait(3, now), 3, 1e-6);
  now += milliseconds(2500);
  EXPECT_EQ(bucket.wait(2, now), 0);
  bucket.take(2);
  bucket.take(4.5);  // more than was foreseen
  EXPECT_NEAR(bucket.wait(1, now), 5, 1e-6);
  bucket.take(-4.5);  // less
  EXPECT_NEAR(bucket.wait(1, now), 0.5, 1e-6);
  now += seconds(100);
  EXPECT_EQ(bucket.wait(1000, now), 0);  // larger than the bucket: when it is full
  TokenBucket none(0);
  none.take(1e9);
  EXPECT_EQ(none.wait(1e9, now), 0);
}

TEST(Window, DoublesUntilTheFirstRefusalThenGrowsByOneARound) {
  Window window(100);
  EXPECT_EQ(window.size(), 8U);
  for (int i = 0; i < 8; ++i) window.grow();
  EXPECT_EQ(window.size(), 16U);
  const Clock::time_point start{};
  window.shrink(start, start + seconds(1));
  EXPECT_EQ(window.size(), 8U);
  window.shrink(start, start + seconds(1));  // sent before: the same refusal
  EXPECT_EQ(window.size(), 8U);
  for (int i = 0; i < 9; ++i) window.grow();
  EXPECT_EQ(window.size(), 9U);
  for (int i = 0; i < 20; ++i) window.shrink(start + seconds(2 + i), start + seconds(2 + i));
  EXPECT_EQ(window.size(), 1U);
  EXPECT_EQ(Window(3).size(), 3U);
}

TEST(Traffic, ShrinksOnRefusalsAndWaitsForWhatTheServerAsks) {
  Traffic traffic({1, 16, 0, 0, 0});
  const Clock::time_point now{};
  for (int i = 0; i < 8; ++i) {
    ASSERT_EQ(traffic.turn(1, 1, now).endpoint, 0U);
    traffic.begin(0, 1, 1);
  }
  EXPECT_FALSE(traffic.turn(1, 1, now).endpoint.has_value());
  traffic.end(0, Traffic::Outcome::refused, now, now + seconds(1), 4.0, 0, 0);
  EXPECT_EQ(traffic.window(0), 4U);
  for (int i = 0; i < 7; ++i) traffic.end(0, Traffic::Outcome::answered, now, now + seconds(2), {}, 0, 0);
  const Traffic::Turn turn = traffic.turn(1, 1, now + seconds(2));
  EXPECT_FALSE(turn.endpoint.has_value());
  EXPECT_NEAR(turn.wait, 3, 1e-6);
  EXPECT_EQ(traffic.turn(1, 1, now + seconds(5)).endpoint, 0U);
}

TEST(Traffic, LeavesAnEndpointAloneThatFails) {
  Traffic traffic({2, 4, 0, 0, 0});
  const Clock::time_point now{};
  std::multiset<std::size_t> places;
  for (int i = 0; i < 4; ++i) {
    const auto place = traffic.turn(1, 1, now).endpoint.value();
    places.insert(place);
    traffic.begin(place, 1, 1);
  }
  EXPECT_EQ(places, (std::multiset<std::size_t>{0, 0, 1, 1}));
  traffic.end(0, Traffic::Outcome::failed, now, now, {}, 0, 0);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(traffic.turn(1, 1, now).endpoint, 1U);
    traffic.begin(1, 1, 1);
  }
  EXPECT_FALSE(traffic.turn(1, 1, now).endpoint.has_value());
  EXPECT_EQ(traffic.turn(1, 1, now + seconds(2)).endpoint, 0U);
}

TEST(Spending, ReservesTheMostAndGivesBackWhatWasNotSpent) {
  Spending spending(std::nullopt);
  const Budget budget{0, 0, 100, 0};
  std::int64_t first = 0, second = 0;
  EXPECT_EQ(spending.reserve(budget, {}, {1, 5, 60}, first), Spending::Verdict::reserved);
  EXPECT_EQ(spending.reserve(budget, {}, {1, 5, 60}, second), Spending::Verdict::wait);
  spending.settle(first, {1, 5, 30});
  EXPECT_EQ(spending.reserve(budget, {}, {1, 5, 60}, second), Spending::Verdict::reserved);
  spending.settle(second, {1, 5, 50});
  EXPECT_EQ(spending.reserve(budget, {}, {1, 5, 60}, second), Spending::Verdict::refused);
  EXPECT_EQ(spending.spent(), (Amount{2, 10, 80}));
  EXPECT_NE(spending.shortage(budget, {}, {1, 5, 60}).find("budget.output_tokens allows 100 and 80 are spent"),
            std::string::npos)
      << spending.shortage(budget, {}, {1, 5, 60});
  const Prices prices{2, 10};
  EXPECT_DOUBLE_EQ(prices.usd({1, 1000000, 500000}), 7);
  EXPECT_EQ(spending.reserve({0, 0, 0, 1e-3}, prices, {1, 0, 100}, second), Spending::Verdict::refused);
  EXPECT_EQ(spending.reserve({0, 0, 0, 1e-3}, {}, {1, 0, 100}, second), Spending::Verdict::reserved);  // free
}

TEST(Spending, CountsWhatWasUnderWayAtAKill) {
  const tests::TemporaryFolder folder;
  const auto file = folder / "spent.jsonl";
  std::int64_t ticket = 0;
  {
    Spending spending(file);
    spending.reserve({}, {}, {1, 7, 9}, ticket);
    spending.settle(ticket, {1, 3, 2});
    spending.reserve({}, {}, {1, 7, 9}, ticket);  // never settled
  }
  Spending again(file);
  EXPECT_EQ(again.spent(), (Amount{2, 10, 11}));
  EXPECT_EQ(again.cut_off(), 1);
  again.settle(ticket, {1, 1, 1});  // the answer turned up after all, as a batch's does
  EXPECT_EQ(again.spent(), (Amount{2, 4, 3}));
  EXPECT_EQ(Spending(file).spent(), (Amount{2, 4, 3}));
}

TEST(OpenAiLimits, RecordsThatCannotBeWrittenEndTheRunAndNotTheProcess) {
  const tests::TemporaryFolder folder;
  const HttpServer server(echo);
  Settings with = settings(server);
  with.records = folder / "records";
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const rlimit one_line{64, before.rlim_max};  // the first request is under way when the second cannot be recorded
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &one_line), 0);
  const std::string failure = failure_of_asking(with, requests(4));
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_NE(failure.find("spent"), std::string::npos) << failure;
  EXPECT_EQ(OpenAi(with).cut_off(), 1);
}

TEST(OpenAiLimits, ABudgetOfRequestsHoldsWithSixteenUnderWay) {
  const tests::TemporaryFolder folder;
  const HttpServer server(echo);
  Settings with = settings(server);
  with.concurrency = 16;
  with.budget.requests = 20;
  with.store = folder / "answers";
  with.records = folder / "records";
  const std::string failure = failure_of_asking(with, requests(40));
  EXPECT_EQ(server.requests(), 20U);
  EXPECT_NE(failure.find("budget.requests allows 20 and 20 are spent"), std::string::npos) << failure;
  EXPECT_NE(failure.find("60 input and 20 output tokens"), std::string::npos) << failure;
  EXPECT_NE(failure.find("20 of these requests are not answered"), std::string::npos) << failure;
  failure_of_asking(with, requests(40));  // and holds for a run that is started again
  EXPECT_EQ(server.requests(), 20U);
  with.budget.requests = 40;
  EXPECT_EQ(ask(with, requests(40)).size(), 40U);
  EXPECT_EQ(server.requests(), 40U);
}

TEST(OpenAiLimits, FailedAndMalformedTriesCount) {
  const HttpServer server([](const HttpRequest& request) {
    if (request.number == 0) return HttpResponse{500, "{}", ""};
    if (request.number == 1) return HttpResponse{200, "{\"choices\": 7", ""};
    return echo(request);
  });
  Settings with = settings(server);
  with.concurrency = 1;
  with.budget.requests = 3;
  std::map<std::size_t, json> items;
  OpenAi teacher(with);
  EXPECT_THROW(
      teacher.complete(
          "", requests(4), [&](std::size_t index, const std::string& item) { items[index] = json::parse(item); },
          [] { return false; }),
      std::runtime_error);
  EXPECT_EQ(server.requests(), 3U);
  EXPECT_EQ(teacher.spent().requests, 3);
}

TEST(OpenAiLimits, TokensAndMoneyAreCountedAsTheServerSays) {
  const HttpServer server(echo);  // 3 and 1 tokens a request
  Settings with = settings(server);
  with.prices = {10, 100};
  with.chat.max_tokens = 50;
  with.budget.usd = 0.006 + 20 * (3 * 10 + 100) / 1e6;  // enough to reserve one more after twenty
  OpenAi teacher(with);
  json last;
  EXPECT_TRUE(teacher.complete(
      "", requests(20), [&](std::size_t, const std::string& item) { last = json::parse(item); }, [] { return false; }));
  EXPECT_EQ(teacher.spent(), (Amount{20, 60, 20}));
  EXPECT_EQ(last["cost"]["requests"], 1);
  EXPECT_NEAR(last["cost"]["usd"].get<double>(), 130e-6, 1e-12);
  EXPECT_EQ(last["cost"]["cached"], false);
  with.prices = {};
  EXPECT_THROW(OpenAi{with}, std::invalid_argument);  // a price is missing
}

TEST(OpenAiLimits, AnEndpointThatIsDownEndsTheBatch) {
  const HttpServer server([](const HttpRequest& request) {
    return request.number < 3 ? echo(request) : HttpResponse{503, R"({"error":{"message":"down"}})", ""};
  });
  Settings with = settings(server);
  with.retry.retries = 0;
  with.concurrency = 1;
  with.give_up_after = 5;
  EXPECT_EQ(
      failure_of_asking(with, requests(40)),
      "5 requests in a row failed, the last: status 503: down; what was answered is kept: see to the endpoint and "
      "run the same again");
  EXPECT_EQ(server.requests(), 8U);
}

/// However few requests come at a time; what is wrong with one request alone does not count.
TEST(OpenAiLimits, AnEndpointThatRefusesEverythingEndsTheRun) {
  for (const auto& [status, head] :
       {std::pair(404L, ""), std::pair(429L, "Retry-After: 3600\r\n"), std::pair(402L, "")}) {
    const HttpServer server([&](const HttpRequest&) {
      return HttpResponse{static_cast<int>(status), R"({"error":{"message":"no"}})", head};
    });
    Settings with = settings(server);
    with.concurrency = 1;
    with.give_up_after = 5;
    OpenAi teacher(with);
    const auto ask_two = [&] {
      teacher.complete("", requests(2), [](std::size_t, const std::string&) {}, [] { return false; });
    };
    ask_two();
    ask_two();
    EXPECT_THROW(ask_two(), std::runtime_error) << status;
    EXPECT_EQ(server.requests(), 5U) << status;
  }
  const HttpServer strict(
      [](const HttpRequest&) { return HttpResponse{400, R"({"error":{"message":"too long"}})", ""}; });
  Settings with = settings(strict);
  with.give_up_after = 5;
  EXPECT_EQ(ask(with, requests(20)).size(), 20U);
}

TEST(OpenAiLimits, SeveralEndpointsShareTheWorkAndStandInForEachOther) {
  const HttpServer one(echo), two(echo);
  Settings with = settings(one);
  with.base_urls.push_back(two.base_url());
  EXPECT_EQ(ask(with, requests(20)).size(), 20U);
  EXPECT_EQ(one.requests() + two.requests(), 20U);
  EXPECT_GE(std::min(one.requests(), two.requests()), 1U);  // how many each gets is the quicker one's affair
  with.base_urls = {"http://127.0.0.1:1/v1", two.base_url()};
  for (const auto& [index, item] : ask(with, requests(20)))
    EXPECT_EQ(item["choices"][0]["message"]["content"], "q" + std::to_string(index)) << item;
}

TEST(OpenAiLimits, RequestsAMinuteAreKept) {
  const HttpServer server(echo);
  Settings with = settings(server);
  with.requests_per_minute = 60 * 12;  // 120 at once: not waited for
  EXPECT_EQ(ask(with, requests(30)).size(), 30U);
  with.requests_per_minute = 6;  // one at once, the next after ten seconds
  OpenAi teacher(with);
  std::atomic<std::size_t> came{0};
  const auto begin = Clock::now();
  EXPECT_FALSE(teacher.complete(
      "", requests(3), [&](std::size_t, const std::string&) { ++came; },
      [&] { return came >= 1 && Clock::now() - begin > milliseconds(300); }));
  EXPECT_EQ(came, 1U);
}

TEST(OpenAiLimits, EveryFaultIsAnErrorOfItsRequestOrIsTriedAgain) {
  using Delivery = HttpResponse::Delivery;
  std::atomic<int> cuts{0}, conflicts{0};
  const HttpServer server([&](const HttpRequest& request) {
    const std::string asked = json::parse(request.body)["messages"].back()["content"];
    const std::string text = answer_text(asked);
    if (asked == "q0" && cuts++ == 0) return HttpResponse{200, text, "", Delivery::cut};
    if (asked == "q1") return HttpResponse{200, text, "", Delivery::endless};
    if (asked == "q2" && conflicts++ == 0) return HttpResponse{409, "", ""};
    if (asked == "q3") {
      std::this_thread::sleep_for(milliseconds(50));  // slow, and right
      return HttpResponse{200, text, ""};
    }
    if (asked == "q4")
      return HttpResponse{200, R"({"choices":[{"message":{"content":"half"},"finish_reason":"length"}]})", ""};
    return echo(request);
  });
  Settings with = settings(server);
  with.timeout = 3;
  with.retry.retries = 1;
  const auto items = ask(with, requests(6));
  EXPECT_EQ(items.at(0)["choices"][0]["message"]["content"], "q0");
  EXPECT_EQ(items.at(0)["cost"]["requests"], 2);
  EXPECT_NE(items.at(1)["error"].get<std::string>().find("no answer after 2 tries"), std::string::npos) << items.at(1);
  EXPECT_EQ(items.at(2)["choices"][0]["message"]["content"], "q2");
  EXPECT_EQ(items.at(3)["choices"][0]["message"]["content"], "q3");
  EXPECT_EQ(items.at(4)["choices"][0]["finish_reason"], "length");
  EXPECT_EQ(items.at(4)["cost"]["requests"], 1);  // the same request would end the same way
  EXPECT_EQ(items.at(5)["choices"][0]["message"]["content"], "q5");
  EXPECT_EQ(server.requests(), 9U);
}

}  // namespace
}  // namespace retort::openai
