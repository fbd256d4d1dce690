// Batches cover every sequence once, in an order that depends on seed and epoch alone; what the tokens of a prompt are.
#include "train/sequences.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "text/bpe_trainer.h"
#include "train/batch_rows.h"
#include "train/prompt_tags.h"

namespace retort::train {
namespace {

std::vector<std::size_t> lengths_of(std::size_t count) {
  std::vector<std::size_t> lengths;
  SeededSequence random(3, 0);
  for (std::size_t i = 0; i < count; ++i) lengths.push_back(5 + random.below(60));
  return lengths;
}

/// A task of two tools and its tokenizer, and sequences of what is said.
struct Tagged {
  task::PromptContract contract{
      "functional_tokens",
      {{"play",
        "plays",
        {{"type", "object"}, {"properties", {{"track", {{"type", "string"}}}, {"artist", {{"type", "string"}}}}}}},
       {"buy",
        "buys",
        {{"type", "object"}, {"properties", {{"items", {{"type", "array"}, {"items", {{"type", "string"}}}}}}}}}}};
  text::Tokenizer tokenizer = text::Tokenizer::parse(
      text::train_byte_level_bpe({" play hello by adele"},
                                 {.vocabulary_size = 300, .special_tokens = contract.special_tokens()}),
      "the test's");

  Sequence sequence(const std::string& said, const task::Call& call) const {
    Sequence result;
    result.prompt = contract.prompt(tokenizer, said);
    result.response = contract.response(tokenizer, said, {call});
    return result;
  }
  text::TokenId none() const { return *tokenizer.find("<|none|>"); }
  /// The text under each tag, with the tag, in order; what has none in brackets.
  std::string shown(const Sequence& sequence) const {
    const std::vector<text::TokenId> tags = prompt_tags(sequence, tokenizer, none());
    EXPECT_EQ(tags.size(), sequence.prompt.size());
    EXPECT_EQ(tags.back(), -1);
    std::string text(tokenizer.token(tags.front()));
    for (std::size_t t = 1; t + 1 < tags.size(); ++t) {
      if (t == 1 || tags[t] != tags[t - 1])
        text += tags[t] == none() ? " -" : " " + std::string(tokenizer.token(tags[t]));
      text += tokenizer.token_bytes(sequence.prompt[t]);
    }
    return text;
  }
};

}  // namespace

TEST(PromptTags, NameTheArgumentThatTakesEachToken) {
  const Tagged task;
  EXPECT_EQ(task.shown(task.sequence("play hello by adele now", {"play", {{"track", "hello"}, {"artist", "adele"}}})),
            "<|call:play|> - play <|track|> hello - by <|artist|> adele - now");
  // The second of two like words goes to the second value; what is not said word by word has no place.
  EXPECT_EQ(task.shown(task.sequence("play hello by hello", {"play", {{"track", "hello"}, {"artist", "hello"}}})),
            "<|call:play|> - play <|artist|> hello - by <|track|> hello");
  EXPECT_EQ(task.shown(task.sequence("play it", {"play", {{"track", "that"}}})), "<|call:play|> - play it");
  EXPECT_EQ(task.shown(task.sequence("buy tea, red wine and eggs", {"buy", {{"items", {"tea", "red wine", "eggs"}}}})),
            "<|call:buy|> - buy <|items|> tea, red wine and eggs");
  Sequence unlabelled = task.sequence("play it", {"play", nlohmann::json::object()});
  unlabelled.response.clear();
  EXPECT_EQ(task.shown(unlabelled), "<|none|> - play it");
}

TEST(PromptTags, AreLabelsOfTheirOwnTokens) {
  const Tagged task;
  Sequence plain = task.sequence("play hello by adele", {"play", {{"track", "hello"}, {"artist", "adele"}}});
  Sequence tagged = plain;
  tagged.tags = prompt_tags(plain, task.tokenizer, task.none());
  tagged.tag_weight = 0.25F;
  const auto labelled = static_cast<double>(plain.prompt.size() - 1);
  EXPECT_DOUBLE_EQ(tagged.label_weight(), plain.label_weight() + 0.25 * labelled);
  const std::vector<Sequence> sequences = {plain, tagged};
  const std::vector<std::size_t> both = {0, 1};
  const BatchRows rows = batch_rows(sequences, both);
  const auto count = static_cast<std::int64_t>(plain.response.size()), more = static_cast<std::int64_t>(labelled);
  ASSERT_EQ(rows.index.size(0), 2 * count + more);
  const std::int64_t width = rows.ids.size(1);
  for (std::int64_t t = 0; t < more; ++t) {
    EXPECT_EQ(rows.index[2 * count + t].item<std::int64_t>(), width + t);
    EXPECT_EQ(rows.labels[2 * count + t].item<std::int64_t>(), tagged.tags[static_cast<std::size_t>(t)]);
    EXPECT_EQ(rows.weights[2 * count + t].item<float>(), 0.25F);
  }
  EXPECT_EQ(rows.weights.narrow(0, 0, 2 * count).min().item<float>(), 1.0F);
}

TEST(BatchPlan, HoldsEverySequenceOnce) {
  const auto lengths = lengths_of(1003);
  const auto plan = batch_plan(lengths, 32, 7, 0);
  std::multiset<std::size_t> seen;
  for (const auto& batch : plan) {
    EXPECT_LE(batch.size(), 32u);
    seen.insert(batch.begin(), batch.end());
  }
  ASSERT_EQ(seen.size(), lengths.size());
  for (std::size_t i = 0; i < lengths.size(); ++i) EXPECT_EQ(seen.count(i), 1u);
}

TEST(BatchPlan, DependsOnSeedAndEpochAlone) {
  const auto lengths = lengths_of(500);
  EXPECT_EQ(batch_plan(lengths, 16, 7, 2), batch_plan(lengths, 16, 7, 2));
  EXPECT_NE(batch_plan(lengths, 16, 7, 2), batch_plan(lengths, 16, 7, 3));
  EXPECT_NE(batch_plan(lengths, 16, 7, 2), batch_plan(lengths, 16, 8, 2));
}

TEST(BatchPlan, PadsLittle) {
  const auto lengths = lengths_of(2048);
  std::size_t tokens = 0, cells = 0;
  for (const auto& batch : batch_plan(lengths, 32, 1, 0)) {
    std::size_t longest = 0;
    for (const std::size_t i : batch) {
      tokens += lengths[i];
      longest = std::max(longest, lengths[i]);
    }
    cells += longest * batch.size();
  }
  EXPECT_LT(static_cast<double>(cells), 1.08 * static_cast<double>(tokens));  // at random it is about 1.8
}

TEST(SeededSequence, IsTheSameEverywhere) {
  SeededSequence a(1, 2), b(1, 2), c(1, 3);
  EXPECT_EQ(a.next(), b.next());
  EXPECT_NE(a.next(), c.next());
  SeededSequence random(5, 5);
  std::vector<int> counts(6);
  for (int i = 0; i < 60000; ++i) ++counts[random.below(6)];
  for (const int count : counts) EXPECT_NEAR(count, 10000, 400);  // 4.4 standard deviations
}

}  // namespace retort::train
