// A server that speaks as teacher.openai expects, and a client of it.
#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <map>
#include <string>

#include "http_server.h"
#include "openai.h"

namespace retort::openai {

using nlohmann::json;
using testing::HttpRequest;
using testing::HttpResponse;
using testing::HttpServer;

inline std::string answer_text(const std::string& content) {
  return json{{"choices", {{{"message", {{"role", "assistant"}, {"content", content}}}, {"finish_reason", "stop"}}}},
              {"usage", {{"prompt_tokens", 3}, {"completion_tokens", 1}, {"total_tokens", 4}}}}
      .dump();
}

/// Answers with the last message's content.
inline HttpResponse echo(const HttpRequest& request) {
  return {200, answer_text(json::parse(request.body)["messages"].back()["content"]), ""};
}

/// The value of a header; empty where the request has none.
inline std::string header_of(const HttpRequest& request, const std::string& name) {
  const std::size_t at = request.head.find("\r\n" + name + ": ");
  if (at == std::string::npos) return "";
  const std::size_t from = at + name.size() + 4;
  return request.head.substr(from, request.head.find("\r\n", from) - from);
}

/// How often each body came, by its Idempotency-Key; expects one key for one body and another for another.
inline std::map<std::string, std::size_t> posts_by_key(const HttpServer& server) {
  std::map<std::string, std::size_t> posts;
  std::map<std::string, std::string> keys, bodies;
  for (const HttpRequest& request : server.log()) {
    const std::string key = header_of(request, "Idempotency-Key");
    EXPECT_EQ(key.size(), 32U) << request.head;
    EXPECT_EQ(bodies.emplace(key, request.body).first->second, request.body) << key;
    EXPECT_EQ(keys.emplace(request.body, key).first->second, key) << request.body;
    ++posts[key];
  }
  return posts;
}

inline Settings settings(const HttpServer& server) {
  Settings settings;
  settings.base_urls = {server.base_url()};
  settings.retry = {3, 0.01, 1.0};
  settings.timeout = 20;
  return settings;
}

inline std::string requests(std::size_t count) {
  json all = json::array();
  for (std::size_t i = 0; i < count; ++i)
    all.push_back({{"messages", {{{"role", "user"}, {"content", "q" + std::to_string(i)}}}}});
  return all.dump();
}

inline std::map<std::size_t, json> ask(const Settings& with, const std::string& texts, const std::string& tools = "") {
  std::map<std::size_t, json> items;
  OpenAi teacher(with);
  EXPECT_TRUE(teacher.complete(
      tools, texts,
      [&](std::size_t index, const std::string& item) { EXPECT_TRUE(items.emplace(index, json::parse(item)).second); },
      [] { return false; }));
  return items;
}

}  // namespace retort::openai
