// A trained call model under its grammar: the tokens that greedy decoding gives wherever those are valid, and never a
// malformed answer.
#include "runtime/generate/call_model.h"

#include <gtest/gtest.h>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "runtime/generate/allowed_tokens.h"
#include "runtime/generate/generation.h"

namespace retort::runtime {
namespace {

/// The model of a shared case, whose one bad pattern is mended.
struct Mended {
  Mended() {
    std::filesystem::copy(source(), folder / "model", std::filesystem::copy_options::recursive);
    std::string text = host::read_file(source() / "retort.json");
    if (const std::size_t at = text.find("(unclosed"); at != std::string::npos) text.replace(at, 9, "^.+$");
    host::write_file_atomically(folder / "model/retort.json", text);
    const host::Json package = host::Json::parse(text);
    for (const auto& golden : package.at("golden")) utterances.push_back(golden.at("utterance"));
    for (const char* more : {"hello", "what is the meaning of life", "mail to nobody about nothing with priority 99",
                             "cancel cancel cancel", "cr\u00e9e un rendez-vous demain", ""})
      utterances.emplace_back(more);
  }
  static std::filesystem::path source() {
    return tests::shared_data("../cases/files/10-schema-pattern-compiled-late/model");
  }
  tests::TemporaryFolder folder;
  std::vector<std::string> utterances;
};

TEST(CallModelGrammar, GivesGreedyTokensWhereThoseAreValid) {
  RETORT_NEEDS(Mended::source());
  const Mended mended;
  const auto path = mended.folder / "model";
  CallModel free(path, {.threads = 1}), limited(path, {.threads = 1}), stepwise(path, {.threads = 1});
  free.set_grammar({.on = false});
  stepwise.set_grammar({.forced_runs = false, .measure_mass = true});
  int valid = 0;
  for (const std::string& utterance : mended.utterances) {
    const Answer plain = free.answer(utterance), answer = limited.answer(utterance), other = stepwise.answer(utterance);
    EXPECT_EQ(answer.tokens, other.tokens) << utterance;
    EXPECT_TRUE(std::holds_alternative<std::vector<task::Call>>(answer.parsed) || answer.cut) << answer.text;
    ASSERT_TRUE(other.allowed_log_mass.has_value());
    EXPECT_LE(*other.allowed_log_mass, 1e-9);
    if (!std::holds_alternative<std::vector<task::Call>>(plain.parsed)) continue;
    // A grammar writes well-formed values of some formats only, which the validator does not ask for.
    grammar::GrammarState state = limited.grammar()->begin();
    bool in_grammar = true;
    for (const TokenId token : plain.tokens) in_grammar = in_grammar && limited.grammar()->advance(state, token);
    if (!in_grammar) continue;
    ++valid;
    EXPECT_EQ(answer.tokens, plain.tokens) << utterance << ": " << plain.text << " / " << answer.text;
  }
  EXPECT_GE(valid, 15);
}

TEST(CallModelGrammar, SaysThatAnAnswerWasCut) {
  RETORT_NEEDS(Mended::source());
  const Mended mended;
  CallModel model(mended.folder / "model", {.threads = 1});
  const Answer answer = model.answer(mended.utterances.front(), 2);
  EXPECT_TRUE(answer.cut);
  EXPECT_EQ(answer.tokens.size(), 2U);
  EXPECT_FALSE(model.answer(mended.utterances.front()).cut);
}

TEST(CallModelGrammar, BatchesGiveWhatSinglesGive) {
  RETORT_NEEDS(Mended::source());
  const Mended mended;
  CallModel single(mended.folder / "model", {.threads = 1}),
      many(mended.folder / "model", {.threads = 1, .sequences = 3});
  std::vector<GenerationRequest> requests;
  std::vector<std::vector<TokenId>> expected;
  for (std::size_t i = 0; i < 8; ++i) {
    const std::string& utterance = mended.utterances[i];
    GenerationOptions options;
    options.ends = {many.contract().end_token(many.tokenizer())};
    options.grammar = many.grammar();
    options.tokenizer = &many.tokenizer();
    requests.push_back({many.contract().prompt(many.tokenizer(), utterance), options});
    expected.push_back(single.answer(utterance).tokens);
  }
  generate_each(many.decoder(), requests, [&](std::size_t index, const Generation& result) {
    EXPECT_EQ(result.tokens, expected[index]) << index;
  });
}

TEST(AllowedTokens, MassIsWhatSoftmaxGives) {
  const std::vector<float> logits = {1, 2, 3, 0.5f, -4};
  grammar::TokenMask few, bits;
  few.few = {0, 2};
  bits.bits = {0b101};
  double total = 0, allowed = 0;
  for (std::size_t i = 0; i < logits.size(); ++i) {
    total += std::exp(static_cast<double>(logits[i]));
    if (i == 0 || i == 2) allowed += std::exp(static_cast<double>(logits[i]));
  }
  EXPECT_NEAR(allowed_log_mass(logits, few), std::log(allowed / total), 1e-6);
  EXPECT_NEAR(allowed_log_mass(logits, bits), std::log(allowed / total), 1e-6);
  Sampler greedy({});
  EXPECT_EQ(greedy.next(logits, {}, &few), 2);
  few.few = {0, 4};
  EXPECT_EQ(greedy.next(logits, {}, &few), 0);
  Sampler drawing({.temperature = 5, .top_k = 3, .seed = 1});
  for (int i = 0; i < 200; ++i) {
    const TokenId token = drawing.next(logits, {}, &few);
    EXPECT_TRUE(token == 0 || token == 4);
  }
}

}  // namespace
}  // namespace retort::runtime
