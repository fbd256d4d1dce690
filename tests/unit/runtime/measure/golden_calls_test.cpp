// Golden calls: what a package promises is kept by itself, and each way of not keeping it is found and named.
#include "runtime/measure/golden_calls.h"

#include <gtest/gtest.h>

#include "host/base/files.h"
#include "host/base/json.h"
#include "markov_model.h"
#include "random_model.h"

namespace retort::runtime {
namespace {

using Json = nlohmann::json;

/// A package whose model switches the light on: two golden calls, and a conversation that its form cannot show.
class GoldenCalls : public ::testing::Test {
 protected:
  void SetUp() override {
    testing::write_markov_model(
        folder_.path(),
        {{"<|assistant|>", "<|call:light_set|>"}, {"<|call:light_set|>", "<|state|>"}, {"<|state|>", "Ġon"}});
    CallModel model(folder_.path(), {});
    description_ = model.folder().retort();
    task::Example later("and on", std::nullopt);
    later.messages.insert(later.messages.begin(), {{.role = task::Role::user, .content = "off"},
                                                   {.role = task::Role::assistant, .content = "done"}});
    for (const task::Example& example :
         {task::Example("turn the light on", std::nullopt), task::Example("and now on", std::nullopt), later})
      description_["golden"].push_back(golden_call(model, example));
    description_["files"] = hashes_of_files(folder_.path());
  }

  GoldenVerdict verdict(const Json& description, double tolerance = 1e-4) {
    host::write_json(folder_.path() / "retort.json", description);
    CallModel model(folder_.path(), {});
    return verify_golden_calls(model, tolerance);
  }

  testing::TemporaryFolder folder_;
  Json description_;
};

TEST_F(GoldenCalls, HoldTheAnswerWithALogitForEachOfItsTokens) {
  const Json& golden = description_.at("golden").at(0);
  EXPECT_EQ(golden.at("utterance"), "turn the light on");
  EXPECT_EQ(golden.at("calls"), task::calls_to_json({{"light_set", {{"state", "on"}}}}));
  EXPECT_FALSE(golden.contains("messages"));
  const Json& refused = description_.at("golden").at(2);
  EXPECT_EQ(refused.at("messages").size(), 3U);
  EXPECT_TRUE(refused.contains("malformed")) << refused;
  EXPECT_TRUE(refused.at("tokens").empty());
  ASSERT_EQ(golden.at("tokens").size(), 4U);
  ASSERT_EQ(golden.at("logits").size(), 4U);
  // Each logit is that of a plain forward pass over everything before the token.
  CallModel model(folder_.path(), {});
  std::vector<TokenId> ids = model.contract().prompt(model.tokenizer(), "turn the light on");
  for (std::size_t i = 0; i < 4; ++i) {
    const auto token = golden["tokens"][i].get<TokenId>();
    model.decoder().reset();
    EXPECT_NEAR(static_cast<double>(model.decoder().forward(ids)[static_cast<std::size_t>(token)]),
                golden["logits"][i].get<double>(), 1e-5);
    ids.push_back(token);
  }
}

TEST_F(GoldenCalls, AreKeptByTheModelThatMadeThem) {
  const GoldenVerdict kept = verdict(description_);
  EXPECT_EQ(kept.calls, 3U);
  EXPECT_EQ(kept.tokens, 8U);
  EXPECT_TRUE(kept.drifts.empty());
  EXPECT_LT(kept.greatest_difference, 1e-6) << "rounded to six decimals";
  EXPECT_TRUE(changed_files(folder_.path(), description_).empty());
}

TEST_F(GoldenCalls, ADriftNamesTheCallTheTokenAndBothNumbers) {
  Json drifted = description_;
  const double logit = drifted["golden"][1]["logits"][2].get<double>();
  drifted["golden"][1]["logits"][2] = logit + 0.5;
  const GoldenVerdict found = verdict(drifted, 0.1);
  ASSERT_EQ(found.drifts.size(), 1U);
  EXPECT_EQ(found.drifts[0].call, 1U);
  EXPECT_EQ(found.drifts[0].utterance, "and now on");
  EXPECT_EQ(found.drifts[0].place, "token 2 (id " + drifted["golden"][1]["tokens"][2].dump() + ", \"Ġon\")");
  EXPECT_NE(found.drifts[0].expected.find("within 0.1"), std::string::npos) << found.drifts[0].expected;
  EXPECT_NEAR(found.greatest_difference, 0.5, 1e-5);
  EXPECT_TRUE(verdict(drifted, 0.6).drifts.empty()) << "within the tolerance";
}

TEST_F(GoldenCalls, OtherCallsAreADriftToo) {
  Json other = description_;
  other["golden"][0]["calls"] = task::calls_to_json({{"light_set", {{"state", "off"}}}});
  other["golden"][1].erase("calls");
  other["golden"][1]["malformed"] = "it ended too early";
  const GoldenVerdict found = verdict(other);
  ASSERT_EQ(found.drifts.size(), 2U);
  EXPECT_EQ(found.drifts[0].place, "calls");
  EXPECT_NE(found.drifts[0].expected.find("off"), std::string::npos);
  EXPECT_NE(found.drifts[0].found.find("\"on\""), std::string::npos);
  EXPECT_EQ(found.drifts[1].expected, "no well-formed call");
}

TEST_F(GoldenCalls, ChangedAndMissingFilesAreNamed) {
  host::write_file_atomically(folder_.path() / "tokenizer.json",
                              host::read_file(folder_.path() / "tokenizer.json") + "\n");
  Json description = description_;
  description["files"]["gone.safetensors"] = "00";
  description["files"]["../outside"] = "00";
  const std::vector<std::string> changed = changed_files(folder_.path(), description);
  ASSERT_EQ(changed.size(), 3U);
  EXPECT_EQ(changed[0], "../outside: expected sha256 00, found none");
  EXPECT_EQ(changed[1], "gone.safetensors: expected sha256 00, found none");
  EXPECT_TRUE(changed[2].starts_with("tokenizer.json: expected sha256 ")) << changed[2];
}

TEST_F(GoldenCalls, PackagesThatPromiseNothingAreRefused) {
  const auto refusal = [&](const Json& description) {
    try {
      verdict(description);
    } catch (const std::invalid_argument& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  Json none = description_, old = description_, bad = description_;
  none.erase("golden");
  EXPECT_NE(refusal(none).find("expected golden calls"), std::string::npos) << refusal(none);
  old["golden"][0].erase("logits");
  EXPECT_NE(refusal(old).find("export the model again"), std::string::npos) << refusal(old);
  bad["golden"][0]["tokens"][1] = 1 << 20;
  EXPECT_NE(refusal(bad).find("/golden/0/tokens/1"), std::string::npos) << refusal(bad);
}

}  // namespace
}  // namespace retort::runtime
