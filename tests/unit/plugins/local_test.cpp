// teacher.local's requests to the host's models, and the answers that come back.
#include "local.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace retort::local {
namespace {

using nlohmann::json;

const json user = {{{"role", "user"}, {"content", "a"}}};
const json stop_tool = json::parse(R"([{"type":"function","function":{"name":"stop"}}])");

TEST(LocalTeacher, FillsInWhatARequestDoesNotSay) {
  const Sampling sampling{0.5, 0.9, 40, 2, 64, 7, 3, true};
  EXPECT_EQ(to_model_request({{"messages", user}, {"recorded", {{"role", "assistant"}}}}, stop_tool, sampling),
            (json{{"messages", user},
                  {"tools", stop_tool},
                  {"n", 2},
                  {"temperature", 0.5},
                  {"top_p", 0.9},
                  {"top_k", 40},
                  {"max_tokens", 64},
                  {"seed", 7},
                  {"top_logprobs", 3},
                  {"grammar", "calls"}}));
  const json own = to_model_request({{"messages", user},
                                     {"tools", json::array()},
                                     {"n", 1},
                                     {"temperature", 0},
                                     {"seed", 1},
                                     {"sample", 4},
                                     {"top_logprobs", 0}},
                                    stop_tool, sampling);
  EXPECT_FALSE(own.contains("tools"));
  EXPECT_FALSE(own.contains("grammar"));
  EXPECT_FALSE(own.contains("top_logprobs"));
  EXPECT_EQ(own["seed"], 5);
  EXPECT_EQ(own["temperature"], 0);
  EXPECT_FALSE(to_model_request({{"messages", user}, {"tool_choice", "none"}}, stop_tool, sampling).contains("tools"));
}

TEST(LocalTeacher, RefusesWhatItWouldPassOver) {
  for (const json& request :
       {json(7), json::object(), json{{"messages", 7}}, json{{"messages", user}, {"tool_choice", "required"}},
        json{{"messages", user}, {"response_format", {{"type", "json_object"}}}},
        json{{"messages", user}, {"sample", "x"}}})
    EXPECT_THROW(to_model_request(request, json::array(), {}), std::invalid_argument) << request;
  EXPECT_THROW(to_score_request({{"messages", user}}, json::array()), std::invalid_argument);
  EXPECT_EQ(to_score_request({{"messages", user}, {"continuation", "b"}}, stop_tool),
            (json{{"messages", user}, {"tools", stop_tool}, {"continuation", "b"}}));
}

TEST(LocalTeacher, AnswersAsTeachersDo) {
  const json calls = {{{"id", "c"}, {"type", "function"}, {"function", {{"name", "stop"}, {"arguments", "{}"}}}}};
  const json item = to_item(
      {{"choices",
        {{{"text", "stop()"},
          {"token_ids", {1}},
          {"finish_reason", "stop"},
          {"message", {{"role", "assistant"}, {"content", nullptr}, {"tool_calls", calls}}}},
         {{"text", "hm"}, {"finish_reason", "length"}, {"malformed", "no calls"}, {"logprobs", {{{"id", 1}}}}}}},
       {"usage", {{"prompt_tokens", 2}, {"completion_tokens", 3}}}});
  EXPECT_EQ(item["choices"][0]["finish_reason"], "tool_calls");
  EXPECT_EQ(item["choices"][0]["message"]["tool_calls"], calls);
  EXPECT_EQ(item["choices"][1]["message"], (json{{"role", "assistant"}, {"content", "hm"}}));
  EXPECT_EQ(item["choices"][1]["finish_reason"], "length");
  EXPECT_EQ(item["choices"][1]["logprobs"][0]["id"], 1);
  EXPECT_EQ(item["usage"]["completion_tokens"], 3);
  EXPECT_EQ(to_item({{"error", "no memory"}}), (json{{"error", "no memory"}}));
}

}  // namespace
}  // namespace retort::local
