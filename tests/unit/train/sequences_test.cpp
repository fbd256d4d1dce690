// Batches cover every sequence once, in an order that depends on seed and epoch alone; what the tokens of a prompt are.
#include "train/sequences.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "task/prompt_tags.h"
#include "text/bpe_trainer.h"
#include "train/batch_rows.h"

namespace retort::train {
namespace {

std::vector<std::size_t> lengths_of(std::size_t count) {
  std::vector<std::size_t> lengths;
  SeededSequence random(3, 0);
  for (std::size_t i = 0; i < count; ++i) lengths.push_back(5 + random.below(60));
  return lengths;
}

/// A task of one tool and its tokenizer, and sequences of what is said.
struct Tagged {
  task::PromptContract contract{
      "functional_tokens",
      {{"play",
        "plays",
        {{"type", "object"}, {"properties", {{"track", {{"type", "string"}}}, {"artist", {{"type", "string"}}}}}}}}};
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
};

}  // namespace

TEST(PromptTags, AreLabelsOfTheirOwnTokens) {
  const Tagged task;
  Sequence plain = task.sequence("play hello by adele", {"play", {{"track", "hello"}, {"artist", "adele"}}});
  Sequence tagged = plain;
  tagged.tags = task::prompt_tags(plain.prompt, plain.response, task.tokenizer, task.none(), "and");
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
