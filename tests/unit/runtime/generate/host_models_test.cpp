// retort.host.models/1 as a plugin sees it: only the C table, JSON texts and sinks.
#include "runtime/generate/host_models.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/plugin/plugin_error.h"
#include "markov_model.h"
#include "random_model.h"
#include "runtime/decoder/decoder.h"
#include "runtime/decoder/reference.h"
#include "text/tokenizer.h"

namespace retort::runtime {
namespace {

using Json = nlohmann::json;
using Items = std::map<std::uint64_t, Json>;

const std::vector<std::pair<std::string, std::string>> kTurnsOn{
    {"<|assistant|>", "<|call:light_set|>"}, {"<|call:light_set|>", "<|state|>"}, {"<|state|>", "Ġon"}};

/// The code and message of an error, which is freed; 0 and "" for none.
std::pair<std::int32_t, std::string> taken(retort_error* error) {
  if (error == nullptr) return {0, ""};
  const retort_host& host = host::host_services();
  std::pair<std::int32_t, std::string> result{host.error_code(error), host::to_std(host.error_message(error))};
  host.error_free(error);
  return result;
}

class HostModels : public ::testing::Test {
 protected:
  HostModels() { testing::write_markov_model(folder_.path(), kTurnsOn); }
  ~HostModels() override { table_.close(model_); }

  void open(std::int64_t sequences = 0) {
    const std::string path = folder_.path().string();
    const retort_model_options options{sizeof(retort_model_options), 0, host::to_abi(path), 0, sequences};
    ASSERT_EQ(taken(table_.open(&options, &model_)).second, "");
    ASSERT_NE(model_, nullptr);
  }
  using Function = retort_error* (*)(retort_model*, retort_string, const retort_item_sink*);
  Items call(Function function, const Json& requests) {
    Items items;
    const retort_item_sink sink{
        sizeof(retort_item_sink), 0, &items, [](void* context, std::uint64_t index, retort_string json) {
          const bool first = static_cast<Items*>(context)->emplace(index, Json::parse(host::to_std(json))).second;
          EXPECT_TRUE(first) << "item " << index << " came twice";
        }};
    EXPECT_EQ(taken(function(model_, host::to_abi(text_ = requests.dump()), &sink)).second, "");
    EXPECT_EQ(items.size(), requests.size());
    return items;
  }
  Json complete(const Json& request) { return call(table_.complete, Json::array({request})).at(0); }
  Json score(const Json& request) { return call(table_.score, Json::array({request})).at(0); }
  static Json user(const std::string& text) { return Json::array({{{"role", "user"}, {"content", text}}}); }

  const retort_host_models_v1& table_ = host_models();
  testing::TemporaryFolder folder_;
  retort_model* model_ = nullptr;
  std::string text_;
};

TEST_F(HostModels, DescribeWhatTheyAre) {
  EXPECT_EQ(table_.struct_size, RETORT_HOST_MODELS_V1_SIZE);
  open();
  std::string json;
  const retort_text_sink sink = host::sink_into(json);
  ASSERT_EQ(table_.describe(model_, &sink), nullptr);
  const Json description = Json::parse(json);
  EXPECT_EQ(description.at("architecture"), "LlamaForCausalLM");
  EXPECT_EQ(description.at("prompt"), "functional_tokens");
  EXPECT_EQ(description.at("tokenizer"), host::sha256_of_file(folder_.path() / "tokenizer.json"));
  const Json config = host::read_json(folder_.path() / "config.json");
  EXPECT_EQ(description.at("layers"), config.at("num_hidden_layers"));
  EXPECT_EQ(description.at("hidden_size"), config.at("hidden_size"));
  EXPECT_EQ(description.at("vocabulary"), config.at("vocab_size"));
  EXPECT_EQ(description.at("context"), config.at("max_position_embeddings"));
  EXPECT_GT(description.at("parameters"), 0);
}

TEST_F(HostModels, AnswerWithCallsOfTheirTask) {
  open();
  const Json item = complete({{"messages", user("turn the light on")}, {"top_logprobs", 2}});
  ASSERT_EQ(item.at("choices").size(), 1U) << item;
  const Json& choice = item.at("choices").at(0);
  EXPECT_EQ(choice.at("text"), "<|call:light_set|><|state|> on<|end|>");
  EXPECT_EQ(choice.at("finish_reason"), "stop");
  EXPECT_FALSE(choice.contains("malformed"));
  const Json& call = choice.at("message").at("tool_calls").at(0);
  EXPECT_EQ(call.at("type"), "function");
  EXPECT_EQ(call.at("function").at("name"), "light_set");
  EXPECT_EQ(Json::parse(call.at("function").at("arguments").get<std::string>()), Json({{"state", "on"}}));
  EXPECT_EQ(choice.at("message").at("role"), "assistant");
  EXPECT_EQ(item.at("usage").at("completion_tokens"), 4);
  ASSERT_EQ(choice.at("logprobs").size(), 4U);
  for (std::size_t t = 0; t < 4; ++t) {
    const Json& token = choice.at("logprobs").at(t);
    EXPECT_EQ(token.at("id"), choice.at("token_ids").at(t));
    ASSERT_EQ(token.at("top").size(), 2U);
    EXPECT_EQ(token.at("top").at(0), Json::array({token.at("id"), token.at("logprob")}));  // greedy
    EXPECT_GE(token.at("top").at(0).at(1), token.at("top").at(1).at(1));
  }
}

TEST_F(HostModels, AnswersUnderACallGrammar) {
  open();
  const Json choice =
      complete({{"messages", user("on")}, {"grammar", "calls"}, {"temperature", 50}, {"seed", 3}}).at("choices").at(0);
  EXPECT_TRUE(!choice.contains("malformed") || choice.at("finish_reason") == "length") << choice;
}

TEST_F(HostModels, SayWhyAnAnswerIsNoCall) {
  open();
  const Json choice = complete({{"messages", user("on")}, {"max_tokens", 2}}).at("choices").at(0);
  EXPECT_EQ(choice.at("finish_reason"), "length");
  EXPECT_EQ(choice.at("token_ids").size(), 2U);
  EXPECT_NE(choice.at("malformed"), "");
  EXPECT_EQ(choice.at("message").at("content"), choice.at("text"));
}

TEST_F(HostModels, WrongRequestsAreItemsAndTheOthersGoOn) {
  open(2);
  const Json good = {{"messages", user("on")}};
  const auto with = [&](const char* key, const Json& value) {
    Json request = good;
    request[key] = value;
    return request;
  };
  const std::pair<Json, std::string> wrong[] = {
      {with("frequency_penalty", 1), "/frequency_penalty: this host knows no such key"},
      {with("grammar", "json"), "/grammar: expected \"calls\""},
      {with("temperature", -1), "/temperature: expected a number from 0"},
      {with("top_logprobs", 21), "/top_logprobs: "},
      {with("n", 0), "/n: "},
      {with("stop", Json::array({""})), "/stop/0: expected a text that is not empty"},
      {with("prompt", "x"), "/messages, /prompt: expected one of them, found both"},
      {Json::object(), "found neither"},
      {Json(7), "expected an object"},
      {with("tools", Json::array()), "/tools: this model was trained for the tools of its task"},
      {{{"messages", Json::array({{{"role", "system"}, {"content", "x"}}})}},
       "/messages: a prompt: expected messages that end with a user"},
      {{{"messages", Json::array()}}, "found 0 messages"},
      {{{"messages", user(std::string(5000, 'z'))}}, "prompt: expected at most"}};
  Json requests = Json::array({good});
  for (const auto& [request, expected] : wrong) requests.push_back(request);
  requests.push_back(good);
  const Items items = call(table_.complete, requests);
  EXPECT_EQ(items.at(0), items.at(requests.size() - 1));
  EXPECT_TRUE(items.at(0).contains("choices"));
  for (std::size_t i = 0; i < std::size(wrong); ++i) {
    const std::string found = items.at(i + 1).value("error", "no error");
    EXPECT_NE(found.find(wrong[i].second), std::string::npos) << found << "\n  instead of " << wrong[i].second;
  }
}

TEST_F(HostModels, RefuseTheWholeCallOnlyForWhatIsNoArray) {
  open();
  const retort_item_sink sink{sizeof(retort_item_sink), 0, nullptr, [](void*, std::uint64_t, retort_string) {}};
  for (const std::string& text : {std::string("{}"), std::string("[1"), std::string()})
    EXPECT_EQ(taken(table_.complete(model_, host::to_abi(text), &sink)),
              (std::pair<std::int32_t, std::string>{RETORT_ERROR_INVALID_ARGUMENT, "requests: expected a JSON array"}));
}

TEST_F(HostModels, StopOnRequest) {
  open();
  const std::string text = Json::array({{{"messages", user("on")}}}).dump();
  const retort_item_sink sink{sizeof(retort_item_sink), 0, nullptr, [](void*, std::uint64_t, retort_string) {}};
  host::request_stop();
  EXPECT_EQ(taken(table_.complete(model_, host::to_abi(text), &sink)).first, RETORT_ERROR_STOPPED);
  host::clear_stop_request();
  EXPECT_EQ(taken(table_.complete(model_, host::to_abi(text), &sink)).first, 0);
}

TEST_F(HostModels, NameWhatCannotBeOpened) {
  retort_model* model = nullptr;
  const auto error_of = [&](const std::string& path, std::int64_t threads, std::int64_t sequences) {
    const retort_model_options options{sizeof(retort_model_options), 0, host::to_abi(path), threads, sequences};
    const auto error = taken(table_.open(&options, &model));
    EXPECT_EQ(model, nullptr);
    return error.second;
  };
  EXPECT_NE(error_of("/nowhere", 0, 0).find("/nowhere"), std::string::npos);
  EXPECT_EQ(error_of(folder_.path().string(), -1, 0), "threads: expected 0 (the host's choice) or more, found -1");
  EXPECT_EQ(error_of(folder_.path().string(), 1, 65), "sequences: expected 0 (the host's choice) to 64, found 65");
  std::filesystem::remove(folder_.path() / "tokenizer.json");
  EXPECT_NE(error_of(folder_.path().string(), 0, 0).find("tokenizer.json"), std::string::npos);
  table_.close(nullptr);
}

/// The same model without its task; with a chat template or without.
class HostTextModels : public HostModels {
 protected:
  HostTextModels() {
    std::filesystem::remove(folder_.path() / "retort.json");
    const auto end = text::Tokenizer::load(folder_.path()).find("<|end|>").value();
    host::write_json(folder_.path() / "generation_config.json", {{"eos_token_id", end}});
  }
};

TEST_F(HostTextModels, ContinueTextAndStopAtStrings) {
  testing::write_markov_model(folder_.path(), {{"Ġon", "Ġoff"}, {"Ġoff", "!"}});
  std::filesystem::remove(folder_.path() / "retort.json");
  open();
  const Json all = complete({{"prompt", " light on"}}).at("choices").at(0);
  EXPECT_EQ(all.at("text"), " off!");
  EXPECT_EQ(all.at("finish_reason"), "stop");
  EXPECT_EQ(all.at("message").at("content"), " off!");
  const Json cut = complete({{"prompt", " light on"}, {"stop", {"f!"}}}).at("choices").at(0);
  EXPECT_EQ(cut.at("text"), " of");
  EXPECT_EQ(cut.at("finish_reason"), "stop");
  EXPECT_NE(complete({{"messages", user("on")}}).at("error").get<std::string>().find("neither a task nor a chat"),
            std::string::npos);
}

TEST_F(HostTextModels, AskByTheirOwnTemplate) {
  host::write_file_atomically(
      folder_.path() / "chat_template.jinja",
      "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
      "{% if tools %}{{ tools[0].function.name }}{% endif %}{% if add_generation_prompt %}<|assistant|>{% endif %}");
  open();
  const Json messages = Json::array({{{"role", "user"}, {"content", "a"}}, {{"role", "user"}, {"content", "bc"}}});
  const Json item = complete({{"messages", messages}});
  EXPECT_EQ(item.at("choices").at(0).at("text"), " on");
  const auto tokens = [&](const std::string& text) {
    return text::Tokenizer::load(folder_.path()).encode(text, text::Tokenizer::Special::parse).size();
  };
  EXPECT_EQ(item.at("usage").at("prompt_tokens"), tokens("<|user|>a<|user|>bc<|assistant|>"));
  const Json tools = Json::array({{{"type", "function"}, {"function", {{"name", "f"}}}}});
  EXPECT_EQ(complete({{"messages", messages}, {"tools", tools}}).at("usage").at("prompt_tokens"),
            tokens("<|user|>a<|user|>bcf<|assistant|>"));
}

/// Random weights behind the same tokenizer: distributions in which something can be drawn.
class HostRandomModels : public HostTextModels {
 protected:
  HostRandomModels() {
    model::ModelConfig config = testing::awkward_config();
    config.vocabulary_size = text::Tokenizer::load(folder_.path()).vocabulary_size();
    testing::write_model(folder_.path(), config, testing::random_weights(config, 3), testing::Storage::f32);
  }
};

TEST_F(HostRandomModels, DrawChoicesBySeedWhateverIsDecodedBeside) {
  open(3);
  const Json request = {{"prompt", " on off"}, {"n", 5}, {"temperature", 1.5}, {"seed", 7}, {"max_tokens", 12}};
  const Json alone = complete(request);
  ASSERT_EQ(alone.at("choices").size(), 5U);
  EXPECT_NE(alone.at("choices").at(0).at("token_ids"), alone.at("choices").at(1).at("token_ids"));
  const Json other = {{"prompt", "x"}, {"n", 2}, {"temperature", 1}, {"max_tokens", 30}};
  const Items items = call(table_.complete, Json::array({other, request, other}));
  EXPECT_EQ(items.at(1), alone);
  EXPECT_EQ(items.at(0), items.at(2));
  Json later = request;
  later["seed"] = 8;  // choice c draws with seed + c
  EXPECT_EQ(complete(later).at("choices").at(0), alone.at("choices").at(1));
  Json narrow = request;
  narrow["top_k"] = 1;
  const Json greedy = complete({{"prompt", " on off"}, {"max_tokens", 12}});
  EXPECT_EQ(complete(narrow).at("choices").at(3).at("token_ids"), greedy.at("choices").at(0).at("token_ids"));
}

TEST_F(HostRandomModels, ScoreWhatTheReferenceScores) {
  open();
  const text::Tokenizer tokenizer = text::Tokenizer::load(folder_.path());
  const model::ModelFolder folder(folder_.path());
  const ReferenceModel reference(folder, ReferenceModel::Activations::f32);
  std::string continuation;
  for (int i = 0; i < 20; ++i) continuation += " on off!";
  const Json item = score({{"prompt", " turn the"}, {"continuation", continuation}});
  const std::vector<TokenId> prompt = tokenizer.encode(" turn the"), tokens = tokenizer.encode(continuation);
  ASSERT_EQ(item.at("ids").get<std::vector<TokenId>>(), tokens) << item;
  ASSERT_GT(tokens.size(), 33U);  // more than one piece
  std::vector<TokenId> all = prompt;
  all.insert(all.end(), tokens.begin(), tokens.end());
  const std::vector<float> logits = reference.forward_all(all);
  const auto vocabulary = static_cast<std::size_t>(folder.config().vocabulary_size);
  double sum = 0;
  for (std::size_t t = 0; t < tokens.size(); ++t) {
    const float* row = logits.data() + (prompt.size() + t - 1) * vocabulary;
    double total = 0;
    for (std::size_t v = 0; v < vocabulary; ++v) total += std::exp(double{row[v]});
    const double expected = row[tokens[t]] - std::log(total);
    EXPECT_NEAR(item.at("logprobs").at(t).get<double>(), expected, 5e-5) << t;
    sum += expected;
  }
  EXPECT_NEAR(item.at("sum").get<double>(), sum, 1e-3);
  const Json by_ids = score({{"prompt", " turn the"}, {"continuation_ids", tokens}});
  EXPECT_EQ(by_ids, item);
  EXPECT_EQ(score({{"prompt", "x"}}).at("error"),
            "/continuation, /continuation_ids: expected one of them, found neither");
  EXPECT_NE(score({{"prompt", "x"}, {"continuation_ids", {1, 100000}}})
                .at("error")
                .get<std::string>()
                .find("/continuation_ids/1"),
            std::string::npos);
  EXPECT_EQ(score({{"prompt", "x"}, {"continuation", ""}}).at("error"),
            "continuation: expected at least one token, found none");
}

}  // namespace
}  // namespace retort::runtime
