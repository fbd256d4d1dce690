// evaluate(): scores of a model whose answers are known.
#include "runtime/measure/evaluation.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "markov_model.h"
#include "random_model.h"
#include "runtime/generate/call_model.h"

namespace retort::runtime {
namespace {

using testing::TemporaryFolder;

task::Call light(const char* state) {
  return {"light_set", {{"state", state}}};
}

class Evaluate : public ::testing::Test {
 protected:
  Evaluate() {
    testing::write_markov_model(
        folder_.path(),
        {{"<|assistant|>", "<|call:light_set|>"}, {"<|call:light_set|>", "<|state|>"}, {"<|state|>", "Ġon"}});
  }
  TemporaryFolder folder_;
};

TEST_F(Evaluate, CountsMatchesMissesAndTools) {
  CallModel model(folder_.path(), {});
  const std::vector<LabelledUtterance> data{
      {"turn the light on", {light("on")}, {}, {"calls: one"}},
      {"turn the light off", {light("off")}, {}, {"calls: one", "kind: plain"}},
      {"hello", {}},
      {"cancel the alarm", {{"alarm_cancel", nlohmann::json::object()}}},
      {"light on and cancel", {light("on"), {"alarm_cancel", nlohmann::json::object()}}}};
  std::vector<std::int64_t> done;
  const Evaluation result = evaluate(model, data, [&](std::int64_t count, std::int64_t total) {
    EXPECT_EQ(total, 5);
    done.push_back(count);
    return true;
  });
  EXPECT_EQ(done, (std::vector<std::int64_t>{1, 2, 3, 4, 5}));
  EXPECT_EQ(result.utterances, 5);
  EXPECT_DOUBLE_EQ(result.exact_match, 0.2);
  EXPECT_DOUBLE_EQ(result.malformed, 0.0);
  EXPECT_EQ(result.tools.at("light_set").utterances, 3);
  EXPECT_EQ(result.tools.at("light_set").exact, 1);
  EXPECT_EQ(result.tools.at("alarm_cancel").utterances, 2);
  EXPECT_EQ(result.tools.at("alarm_cancel").exact, 0);
  EXPECT_EQ(result.tools.at("(none)").utterances, 1);
  EXPECT_EQ(result.tools.size(), 3u);
  EXPECT_EQ(result.groups.at("calls: one").utterances, 2);
  EXPECT_EQ(result.groups.at("calls: one").exact, 1);
  EXPECT_EQ(result.groups.at("kind: plain").exact, 0);
  EXPECT_EQ(result.groups.size(), 2u);
  ASSERT_EQ(result.misses.size(), 4u);
  EXPECT_EQ(result.misses[0].utterance, "turn the light off");
  EXPECT_EQ(result.misses[0].found, "<|call:light_set|><|state|> on<|end|>");
  EXPECT_EQ(result.misses[0].reason, "other arguments of light_set");
  EXPECT_EQ(result.misses[1].reason, "expected 0 calls, found 1");
  EXPECT_EQ(result.misses[2].reason, "expected tool alarm_cancel, found light_set");
  EXPECT_EQ(result.responses.size(), 5u);
  EXPECT_EQ(result.responses[0].size(), 4u);
  EXPECT_GT(result.p50_ms, 0.0);
  EXPECT_LE(result.p50_ms, result.p90_ms);
  EXPECT_LE(result.p90_ms, result.p99_ms);
}

TEST_F(Evaluate, AnUtteranceTooLongIsAMalformedRowNotTheEnd) {
  CallModel model(folder_.path(), {.context = 10});
  const Evaluation result = evaluate(model, {{std::string(50, 'z'), {light("on")}}, {"on", {light("on")}}});
  EXPECT_DOUBLE_EQ(result.exact_match, 0.5);
  EXPECT_DOUBLE_EQ(result.malformed, 0.5);
  ASSERT_EQ(result.misses.size(), 1u);
  EXPECT_NE(result.misses[0].reason.find("at most 10"), std::string::npos) << result.misses[0].reason;
}

TEST_F(Evaluate, MalformedResponsesAreCounted) {
  const TemporaryFolder folder;
  testing::write_markov_model(folder.path(), {{"<|assistant|>", "<|state|>"}});
  CallModel model(folder.path(), {});
  EXPECT_DOUBLE_EQ(evaluate(model, {{"on", {light("on")}}}).malformed, 0.0);  // its grammar allows calls only
  model.set_grammar({.on = false});
  const Evaluation result = evaluate(model, {{"on", {light("on")}}});
  EXPECT_DOUBLE_EQ(result.malformed, 1.0);
  EXPECT_EQ(result.misses.at(0).reason.find("malformed: "), 0u) << result.misses.at(0).reason;
}

TEST_F(Evaluate, StopsWhenAskedAndRefusesNoData) {
  CallModel model(folder_.path(), {});
  const std::vector<LabelledUtterance> data(3, {"on", {light("on")}});
  EXPECT_THROW(evaluate(model, data, [](std::int64_t done, std::int64_t) { return done < 2; }), std::runtime_error);
  EXPECT_THROW(evaluate(model, {}), std::invalid_argument);
}

}  // namespace
}  // namespace retort::runtime
