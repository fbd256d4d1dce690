// teacher.openai against a server on 127.0.0.1: retries, bounds, stopping, bad answers, and that the key stays inside.
#include "openai.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "curl_handles.h"
#include "openai_fixture.h"

namespace retort::openai {
namespace {

TEST(OpenAi, AnswersEveryRequestInItsPlace) {
  const HttpServer server(echo);
  const auto items = ask(settings(server), requests(20));
  ASSERT_EQ(items.size(), 20U);
  for (const auto& [index, item] : items) {
    EXPECT_EQ(item["choices"][0]["message"]["content"], "q" + std::to_string(index));
    EXPECT_EQ(item["choices"][0]["finish_reason"], "stop");
    EXPECT_EQ(item["usage"], (json{{"prompt_tokens", 3}, {"completion_tokens", 1}}));
  }
  EXPECT_NE(server.log()[0].head.find("POST /v1/chat/completions HTTP"), std::string::npos);
}

TEST(OpenAi, TriesAgainAfterALimit) {
  const HttpServer server([](const HttpRequest& request) {
    if (request.number == 0) return HttpResponse{429, R"({"error":{"message":"slow down"}})", "Retry-After: 0.3\r\n"};
    return echo(request);
  });
  const auto begin = std::chrono::steady_clock::now();
  const auto items = ask(settings(server), requests(1));
  EXPECT_EQ(items.at(0)["choices"][0]["message"]["content"], "q0");
  EXPECT_EQ(server.requests(), 2U);
  EXPECT_GE(std::chrono::steady_clock::now() - begin, std::chrono::milliseconds(300));  // what the server asked for
}

TEST(OpenAi, GivesUpAfterTheLastTry) {
  const HttpServer server(
      [](const HttpRequest&) { return HttpResponse{500, R"({"error":{"message":"broken"}})", ""}; });
  const auto items = ask(settings(server), requests(2));
  EXPECT_EQ(server.requests(), 8U);  // one and three retries each
  for (const auto& [index, item] : items) EXPECT_EQ(item["error"], "status 500 after 4 tries: broken") << index;
}

TEST(OpenAi, DoesNotRepeatWhatCannotSucceed) {
  const HttpServer server([](const HttpRequest& request) {
    const json content = json::parse(request.body)["messages"][0]["content"];
    if (content == "q0") return HttpResponse{400, R"({"error":{"message":"no such model"}})", ""};
    if (content == "q1") return HttpResponse{429, "", "Retry-After: 3600\r\n"};
    return echo(request);
  });
  const auto items = ask(settings(server), requests(3));
  EXPECT_EQ(items.at(0)["error"], "status 400: no such model");
  EXPECT_NE(items.at(1)["error"].get<std::string>().find("status 429"), std::string::npos);
  EXPECT_EQ(items.at(2)["choices"][0]["message"]["content"], "q2");
  EXPECT_EQ(server.requests(), 3U);
}

TEST(OpenAi, AnswersThatAreNoneAreErrorsOfTheirItems) {
  const std::vector<std::string> bodies = {"<html>busy</html>",   "{\"choices\": [",      R"({"choices": []})", "7",
                                           R"({"choices": [7]})", R"({"choices": [{}]})", answer_text("fine")};
  const HttpServer server([&](const HttpRequest& request) {
    const std::string content = json::parse(request.body)["messages"][0]["content"];
    return HttpResponse{200, bodies[std::stoul(content.substr(1))], ""};
  });
  const auto items = ask(settings(server), requests(bodies.size()));
  for (std::size_t i = 0; i + 1 < bodies.size(); ++i) EXPECT_TRUE(items.at(i)["error"].is_string()) << bodies[i];
  EXPECT_EQ(items.at(bodies.size() - 1)["choices"][0]["message"]["content"], "fine");
}

TEST(OpenAi, RequestsThatCannotBeReadAreNotSent) {
  const HttpServer server(echo);
  const auto items = ask(settings(server), R"([7, {}, {"messages": []}, {"messages": [{}]},
                                               {"messages": [{"role": "user", "content": "a"}]}])");
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(items.at(i)["error"].is_string()) << i;
  EXPECT_EQ(items.at(4)["choices"][0]["message"]["content"], "a");
  EXPECT_EQ(server.requests(), 1U);
  EXPECT_THROW(ask(settings(server), "{}"), std::invalid_argument);
  EXPECT_THROW(ask(settings(server), "[{"), std::invalid_argument);
}

TEST(OpenAi, SendsNoMoreAtOnceThanAllowed) {
  HttpServer* running = nullptr;
  HttpServer server([&](const HttpRequest& request) {
    running->hold();
    return echo(request);
  });
  running = &server;
  Settings with = settings(server);
  with.concurrency = 3;
  std::map<std::size_t, json> items;
  std::thread asking([&] { items = ask(with, requests(12)); });
  EXPECT_TRUE(server.wait_for(3));  // they do run at once
  server.release();
  asking.join();
  EXPECT_EQ(items.size(), 12U);
  EXPECT_EQ(server.most_at_once(), 3U);
}

TEST(OpenAi, StopsWhileAnAnswerIsAwaited) {
  HttpServer* running = nullptr;
  HttpServer server([&](const HttpRequest& request) {
    if (json::parse(request.body)["messages"][0]["content"] != "q0") running->hold();
    return echo(request);
  });
  running = &server;
  OpenAi teacher(settings(server));
  std::atomic<bool> stop{false};
  std::set<std::size_t> came;
  std::chrono::steady_clock::time_point asked;
  std::thread stopper([&] {
    EXPECT_TRUE(server.wait_for(2));
    asked = std::chrono::steady_clock::now();
    stop = true;
  });
  EXPECT_FALSE(teacher.complete(
      "", requests(3), [&](std::size_t index, const std::string&) { came.insert(index); },
      [&] { return stop && came.count(0) == 1; }));
  EXPECT_LT(std::chrono::steady_clock::now() - asked, std::chrono::seconds(1));
  stopper.join();
  EXPECT_EQ(came, std::set<std::size_t>{0});  // what came before the stop was handed on
}

TEST(OpenAi, AServerThatIsSilentOrAbsentIsAnErrorOfTheItem) {
  HttpServer* running = nullptr;
  HttpServer server([&](const HttpRequest&) {
    running->hold();
    return HttpResponse{};
  });
  running = &server;
  Settings with = settings(server);
  with.timeout = 0.2;
  with.retry.retries = 1;
  const auto silent = ask(with, requests(1));
  EXPECT_NE(silent.at(0)["error"].get<std::string>().find("no answer after 2 tries"), std::string::npos)
      << silent.at(0);
  with.base_urls = {"http://127.0.0.1:1/v1"};  // nothing listens there
  EXPECT_NE(ask(with, requests(1)).at(0)["error"].get<std::string>().find("no answer"), std::string::npos);
  with.base_urls = {"ftp://127.0.0.1/v1"};
  EXPECT_THROW(ask(with, requests(1)), std::invalid_argument);
}

TEST(OpenAi, TheKeyIsSentAndNeverRepeated) {
  const std::string key = "sk-not-for-logs-0123456789";
  const HttpServer server([&](const HttpRequest& request) {
    const json content = json::parse(request.body)["messages"][0]["content"];
    if (content == "q0") return HttpResponse{403, R"({"error":{"message":"bad key )" + key + "\"}}", ""};
    if (content == "q1") return HttpResponse{200, answer_text("your key is " + key + key), ""};
    return HttpResponse{200, "not JSON: " + key, ""};
  });
  Settings with = settings(server);
  with.key = key;
  const auto items = ask(with, requests(3));
  for (const auto& [index, item] : items) {
    EXPECT_EQ(item.dump().find(key), std::string::npos) << item;
    EXPECT_NE(item.dump().find("***"), std::string::npos) << item;
  }
  for (const HttpRequest& request : server.log()) {
    EXPECT_NE(request.head.find("Authorization: Bearer " + key), std::string::npos);
    EXPECT_EQ(request.body.find(key), std::string::npos);
  }
  with.key += "\n";
  try {
    ask(with, requests(1));
    FAIL() << "a key with a line feed was accepted";
  } catch (const std::invalid_argument& error) {
    EXPECT_EQ(std::string(error.what()).find(key), std::string::npos);
  }
}

TEST(OpenAi, AKeyOfAsterisksIsReplacedOnce) {
  for (const std::string key : {"*", "***", "a*"}) EXPECT_EQ(http::without_key("is " + key + "?", key), "is ***?");
}

TEST(OpenAi, AKeyThatIsNotAcceptedEndsTheBatch) {
  const std::string key = "sk-wrong";
  const HttpServer server(
      [&](const HttpRequest&) { return HttpResponse{401, R"({"error":{"message":"invalid: sk-wrong"}})", ""}; });
  Settings with = settings(server);
  with.key = key;
  std::size_t items = 0;
  try {
    OpenAi(with).complete("", requests(3), [&](std::size_t, const std::string&) { ++items; }, [] { return false; });
    FAIL() << "no error";
  } catch (const std::runtime_error& error) {
    EXPECT_EQ(std::string(error.what()), "the server does not accept the key (status 401): invalid: ***");
  }
  EXPECT_EQ(items, 3U);
}

TEST(OpenAi, WhatTheTakerThrowsPassesThrough) {
  const HttpServer server(echo);
  OpenAi teacher(settings(server));
  const auto full = [](std::size_t, const std::string&) { throw std::domain_error("the disk is full"); };
  EXPECT_THROW(teacher.complete("", requests(4), full, [] { return false; }), std::domain_error);
  std::size_t items = 0;  // and the teacher still works
  EXPECT_TRUE(
      teacher.complete("", requests(2), [&](std::size_t, const std::string&) { ++items; }, [] { return false; }));
  EXPECT_EQ(items, 2U);
}

TEST(Chat, BodiesHoldWhatTheRequestSaysAndElseTheDefaults) {
  ChatDefaults defaults;
  defaults.model = "m";
  defaults.system_prompt = "be brief";
  defaults.seed = 7;
  const json tools = json::parse(R"([{"type":"function","function":{"name":"stop"}}])");
  const json user = {{"role", "user"}, {"content", "hello"}};
  const json plain = to_body({{"messages", {user}}, {"recorded", {{"role", "assistant"}}}}, tools, defaults);
  EXPECT_EQ(plain, (json{{"model", "m"},
                         {"messages", {{{"role", "system"}, {"content", "be brief"}}, user}},
                         {"tools", tools},
                         {"temperature", 0.0},
                         {"max_tokens", 1024},
                         {"seed", 7}}));
  const json system = {{"role", "system"}, {"content", "sing"}};
  defaults.token_limit_name = "max_completion_tokens";
  const json own = to_body({{"messages", {system, user}},
                            {"tools", json::array()},
                            {"n", 4},
                            {"temperature", 0.8},
                            {"top_p", 0.9},
                            {"max_tokens", 5},
                            {"seed", 1},
                            {"tool_choice", "required"},
                            {"response_format", {{"type", "json_object"}}},
                            {"top_logprobs", 2}},
                           tools, defaults);
  EXPECT_EQ(own, (json{{"model", "m"},
                       {"messages", {system, user}},
                       {"n", 4},
                       {"temperature", 0.8},
                       {"top_p", 0.9},
                       {"max_completion_tokens", 5},
                       {"seed", 1},
                       {"tool_choice", "required"},
                       {"response_format", {{"type", "json_object"}}},
                       {"logprobs", true},
                       {"top_logprobs", 2}}));
}

TEST(Chat, AnswersKeepReasonsCallsRefusalsAndProbabilities) {
  const json item = read_answer(R"({"choices":[
    {"message":{"role":"assistant","content":"a"},"finish_reason":"length"},
    {"message":{"role":"assistant","content":null},"finish_reason":"content_filter"},
    {"message":{"role":"assistant","content":null,"refusal":"no"},"finish_reason":"stop"},
    {"message":{"content":null,"tool_calls":[{"id":"1","type":"function",
      "function":{"name":"f","arguments":{"x":1}}}]},"finish_reason":"eos",
     "logprobs":{"content":[{"token":"f","logprob":-0.5}]}}]})");
  const json& choices = item["choices"];
  EXPECT_EQ(choices[0]["finish_reason"], "length");
  EXPECT_EQ(choices[1]["finish_reason"], "content_filter");
  EXPECT_EQ(choices[1]["message"]["content"], "");
  EXPECT_EQ(choices[2]["message"]["refusal"], "no");
  EXPECT_EQ(choices[3]["finish_reason"], "tool_calls");
  EXPECT_EQ(choices[3]["message"]["role"], "assistant");
  EXPECT_EQ(choices[3]["message"]["tool_calls"][0]["function"]["arguments"], R"({"x":1})");
  EXPECT_EQ(choices[3]["logprobs"], json::parse(R"([{"token":"f","logprob":-0.5}])"));
  EXPECT_FALSE(item.contains("usage"));
}

TEST(Retry, WaitsDoubleWithinTheirBounds) {
  const RetryOptions options{4, 1.0, 6.0};
  for (std::uint64_t index = 0; index < 100; ++index) {
    const double whole[] = {1, 2, 4, 6};
    for (std::int64_t attempt = 0; attempt < 4; ++attempt) {
      const auto wait = wait_before_retry(options, attempt, index, std::nullopt);
      ASSERT_TRUE(wait.has_value());
      EXPECT_GE(*wait, whole[attempt] / 2);
      EXPECT_LT(*wait, whole[attempt]);
    }
    EXPECT_FALSE(wait_before_retry(options, 4, index, std::nullopt).has_value());
  }
  EXPECT_NE(*wait_before_retry(options, 0, 1, std::nullopt), *wait_before_retry(options, 0, 2, std::nullopt));
  EXPECT_EQ(*wait_before_retry(options, 0, 1, 5.5), 5.5);
  EXPECT_FALSE(wait_before_retry(options, 0, 1, 6.5).has_value());
}

TEST(Retry, ReadsSecondsAndDates) {
  EXPECT_EQ(retry_after(" 12 ", 0), 12.0);
  EXPECT_EQ(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 1445412480 - 30), 30.0);  // RFC 9110's example date
  EXPECT_EQ(retry_after("Wed, 21 Oct 2015 07:28:00 GMT", 1445412480 + 30), 0.0);   // has passed
  EXPECT_FALSE(retry_after("soon", 0).has_value());
  EXPECT_FALSE(retry_after("", 0).has_value());
  EXPECT_FALSE(retry_after("-3", 0).has_value());
  EXPECT_FALSE(retry_after("nan", 0).has_value());
}

}  // namespace
}  // namespace retort::openai
