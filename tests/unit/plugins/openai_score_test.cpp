// teacher.openai is given tokens: log-probabilities from servers that can score a text, and words for those that
// cannot.
#include <atomic>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "fixtures.h"
#include "openai_fixture.h"

namespace retort::openai {
namespace {

/// What a server of the tests says of token `id` behind others: itself at a quarter, the two after it at more and less.
std::vector<std::pair<std::int64_t, double>> said_of(std::int64_t id) {
  return {{id, std::log(0.25)}, {id + 1, std::log(0.5)}, {id + 2, std::log(0.125)}};
}
std::string text_of(std::int64_t id) {
  return "<" + std::to_string(id) + ">";
}

json completion(json choice) {
  choice["text"] = "";
  choice["finish_reason"] = "length";
  return {{"choices", {choice}}, {"usage", {{"prompt_tokens", 5}, {"completion_tokens", 1}}}};
}

HttpResponse like_vllm(const HttpRequest& request) {
  const json body = json::parse(request.body);
  if (!request.head.starts_with("POST /v1/completions ")) return {404, "{}", ""};
  json places = {nullptr};
  for (std::size_t i = 1; i < body["prompt"].size(); ++i) {
    places.push_back(json::object());
    int rank = 0;
    for (const auto& [id, logprob] : said_of(body["prompt"][i]))
      places.back()[std::to_string(id)] = {{"logprob", logprob}, {"rank", ++rank}, {"decoded_token", text_of(id)}};
  }
  return {200, completion({{"prompt_logprobs", places}, {"logprobs", nullptr}}).dump(), ""};
}

/// OpenAI's own form: it knows no prompt_logprobs.
HttpResponse with_echo(const HttpRequest& request) {
  const json body = json::parse(request.body);
  if (body.contains("prompt_logprobs"))
    return {400, R"({"error":{"message":"Unrecognized request argument supplied: prompt_logprobs"}})", ""};
  json tokens = json::array(), values = json::array(), top = json::array();
  for (const json& id : body["prompt"]) {
    tokens.push_back(text_of(id));
    values.push_back(tokens.size() == 1 ? json() : json(said_of(id)[0].second));
    top.push_back(tokens.size() == 1 ? json() : json::object());
    if (tokens.size() == 1) continue;
    for (const auto& [other, logprob] : said_of(id)) top.back()[text_of(other)] = logprob;
  }
  tokens.push_back("answered");
  values.push_back(-0.1);
  top.push_back({{"answered", -0.1}});
  return {200,
          completion({{"logprobs", {{"tokens", tokens}, {"token_logprobs", values}, {"top_logprobs", top}}}}).dump(),
          ""};
}

/// As llama-server does: unknown options are passed over, and only what is answered gets log-probabilities.
HttpResponse without_scores(const HttpRequest&) {
  return {
      200,
      completion({{"logprobs", {{"content", {{{"token", "a"}, {"logprob", -0.1}, {"top_logprobs", json::array()}}}}}}})
          .dump(),
      ""};
}

json score_requests() {
  return {{{"prompt_tokens", {1, 2, 3}}, {"continuation_tokens", {10, 20}}, {"top_logprobs", 2}},
          {{"prompt_tokens", {1}}, {"continuation_tokens", {30}}, {"top_logprobs", 2}}};
}

std::map<std::size_t, json> score(const Settings& with, const json& requests) {
  std::map<std::size_t, json> items;
  OpenAi teacher(with);
  EXPECT_TRUE(teacher.score(
      requests.dump(),
      [&](std::size_t index, const std::string& item) { EXPECT_TRUE(items.emplace(index, json::parse(item)).second); },
      [] { return false; }));
  return items;
}

TEST(OpenAiScore, ServersOfBothKindsGiveWhatTheySayOfTheGivenTokens) {
  for (const bool ids : {true, false}) {
    const HttpServer server(ids ? &like_vllm : &with_echo);
    const auto items = score(settings(server), score_requests());
    ASSERT_EQ(items.size(), 2U);
    const json& first = items.at(0);
    ASSERT_EQ(first["tokens"].size(), 2U) << first;
    for (std::size_t i = 0; i < 2; ++i) {
      const std::int64_t id = i == 0 ? 10 : 20;
      EXPECT_DOUBLE_EQ(first["logprobs"][i], std::log(0.25));
      const json& token = first["tokens"][i];
      EXPECT_EQ(token["token"], text_of(id));
      EXPECT_EQ(token.value("id", json()), ids ? json(id) : json());
      ASSERT_EQ(token["top_logprobs"].size(), 3U);
      EXPECT_EQ(token["top_logprobs"][0]["token"], text_of(id + 1)) << "the likeliest first";
      EXPECT_DOUBLE_EQ(token["top_logprobs"][1]["logprob"], std::log(0.25));
    }
    EXPECT_NEAR(first["sum"].get<double>(), 2 * std::log(0.25), 1e-12);
    EXPECT_EQ(first["cost"]["input_tokens"], 5);
    EXPECT_EQ(items.at(1)["tokens"].size(), 1U);
    EXPECT_EQ(json::parse(server.log().front().body)["prompt"], (json{1, 30})) << "the shortest finds out";
    EXPECT_EQ(json::parse(server.log().back().body).value("echo", false), !ids);
  }
}

TEST(OpenAiScore, AServerThatCannotIsRefusedInWords) {
  const HttpServer silent(without_scores);
  const HttpServer absent([](const HttpRequest&) { return HttpResponse{404, R"({"error":"no such path"})", ""}; });
  for (const auto& [server, why] :
       {std::pair<const HttpServer*, const char*>{&silent, "the server gives log-probabilities of what it answers"},
        {&absent, "status 404: no such path"}}) {
    try {
      score(settings(*server), score_requests());
      FAIL() << "scores of a server that gives none";
    } catch (const std::runtime_error& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("does not score a text that is given to it"), std::string::npos) << text;
      EXPECT_NE(text.find("asked with \"prompt_logprobs\": "), std::string::npos) << text;
      EXPECT_NE(text.find(why), std::string::npos) << text;
    }
    EXPECT_EQ(server->requests(), 2U) << "one try in each form, and none for the others";
  }
}

TEST(OpenAiScore, ScoresAreKeptAndARequestThatCannotBeReadIsAnErrorOfItsItem) {
  const tests::TemporaryFolder folder;
  const HttpServer server(like_vllm);
  Settings with = settings(server);
  with.store = folder / "answers";
  with.records = folder / "records";
  json requests = score_requests();
  requests.push_back({{"messages", json::array()}, {"continuation", "text"}});
  requests.push_back({{"prompt_tokens", {1}}, {"continuation_tokens", {-3}}});
  requests.push_back({{"prompt_tokens", json::array()}, {"continuation_tokens", {3}}});
  const auto first = score(with, requests);
  for (const std::size_t bad : {2U, 3U, 4U})
    EXPECT_NE(first.at(bad)["error"].get<std::string>().find("_tokens\": ids of tokens"), std::string::npos);
  EXPECT_EQ(server.requests(), 2U);  // what was asked to find out is not asked again
  EXPECT_EQ(posts_by_key(server).size(), 2U);
  const auto again = score(with, requests);
  EXPECT_EQ(server.requests(), 2U);
  EXPECT_EQ(again.at(0)["tokens"], first.at(0)["tokens"]);
  EXPECT_EQ(again.at(0)["cost"]["cached"], true);
  with.batch = true;
  EXPECT_THROW(score(with, requests), std::invalid_argument);
}

TEST(OpenAiScore, NamesOfTokensThatAreNoTexts) {
  const ScoreRequest request{{1}, {7}, 1};
  const auto item = [&](const std::string& name) {
    const json top = {nullptr, {{name, -1.0}}};
    return read_score(
        completion(
            {{"logprobs", {{"tokens", {"a", name}}, {"token_logprobs", {nullptr, -1.0}}, {"top_logprobs", top}}}})
            .dump(),
        request, ScoreForm::echo)["tokens"][0];
  };
  EXPECT_EQ(item("token_id:17")["id"], 17);
  EXPECT_EQ(item("bytes:\\xe2\\x80")["bytes"], (json{0xE2, 0x80}));
  EXPECT_EQ(item("bytes:\\xe2\\x8")["token"], "bytes:\\xe2\\x8");
  EXPECT_EQ(item("bytes:")["token"], "bytes:");
  const auto refused = [&](const char* body, ScoreForm form) {
    return read_score(body, request, form).value("error", "");
  };
  EXPECT_NE(refused("no JSON", ScoreForm::echo), "");
  EXPECT_NE(refused(R"({"choices":[{"logprobs":7}]})", ScoreForm::echo), "");
  EXPECT_NE(refused(R"({"choices":[{"prompt_logprobs":[null,{"8":{"logprob":-1}}]}]})", ScoreForm::prompt_logprobs)
                .find("log-probability of token 7"),
            std::string::npos);
  EXPECT_NE(refused(R"({"choices":[{"prompt_logprobs":[null,{"7":{"logprob":"x"}}]}]})", ScoreForm::prompt_logprobs),
            "");
  EXPECT_EQ(refused(R"({"choices":[{}],"prompt_logprobs":[null,{"7":{"logprob":-1}}]})", ScoreForm::prompt_logprobs),
            "");
}

}  // namespace
}  // namespace retort::openai
