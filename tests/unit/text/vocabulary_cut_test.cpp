// A vocabulary cut to what a corpus uses tokenises that corpus as before.
#include "text/vocabulary_cut.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>

#include "text/bpe_trainer.h"

namespace retort::text {
namespace {

const std::vector<std::string>& corpus() {
  static const std::vector<std::string> lines = {" turn the lights on in the kitchen", " turn the heating off",
                                                 " wake me at seven in the morning", " play something in the kitchen"};
  return lines;
}

Tokenizer trained() {
  return Tokenizer::parse(
      train_byte_level_bpe(corpus(), {.vocabulary_size = 330, .special_tokens = {"<|endoftext|>", "<|user|>"}}),
      "the test's tokenizer");
}

std::vector<TokenId> used_by(const Tokenizer& tokenizer, const std::vector<std::string>& lines) {
  std::set<TokenId> used;
  for (const std::string& line : lines)
    for (const TokenId id : tokenizer.encode(line)) used.insert(id);
  return {used.begin(), used.end()};
}

/// What a cut keeps that is made for `lines`.
std::vector<TokenId> kept_for(const Tokenizer& tokenizer, const std::vector<std::string>& lines) {
  std::set<TokenId> kept;
  for (const auto& part : {used_by(tokenizer, lines), required_tokens(tokenizer)})
    kept.insert(part.begin(), part.end());
  return closed_under_merges(tokenizer, {kept.begin(), kept.end()});
}

TEST(VocabularyCut, TokenisesTheKeptCorpusAsBefore) {
  const Tokenizer whole = trained();
  const std::vector<std::string> lines(corpus().begin(), corpus().begin() + 2);
  const std::vector<TokenId> kept = kept_for(whole, lines);
  const Tokenizer cut = cut_vocabulary(whole, kept);
  EXPECT_EQ(cut.vocabulary_size(), static_cast<std::int64_t>(kept.size()));
  EXPECT_LT(cut.vocabulary_size(), whole.vocabulary_size());
  for (const std::string& line : lines) {
    std::vector<TokenId> back;
    for (const TokenId id : cut.encode(line)) back.push_back(kept[static_cast<std::size_t>(id)]);
    EXPECT_EQ(back, whole.encode(line)) << line;
  }
  for (std::size_t i = 0; i < kept.size(); ++i)
    EXPECT_EQ(cut.token(static_cast<TokenId>(i)), whole.token(kept[i])) << kept[i];
  // Any other text can still be written, in smaller pieces.
  for (const std::string text : {" wake me at seven in the morning", "Ünïcode → 漢字"})
    EXPECT_EQ(cut.decode(cut.encode(text)), text);
}

TEST(VocabularyCut, KeepsWhatLeadsToAKeptToken) {
  const Tokenizer whole = trained();
  const auto longest = whole.find("Ġkitchen");
  ASSERT_TRUE(longest) << "the corpus says it twice, so it is one token";
  const std::vector<TokenId> closed = closed_under_merges(whole, {*longest});
  ASSERT_GT(closed.size(), 2U);
  EXPECT_TRUE(std::is_sorted(closed.begin(), closed.end()));
  const Tokenizer cut = cut_vocabulary(whole, kept_for(whole, {" kitchen"}));
  EXPECT_EQ(cut.encode(" kitchen").size(), 1U);
  // Without the closure the merges that make it are gone.
  std::set<TokenId> bare;
  for (const TokenId id : required_tokens(whole)) bare.insert(id);
  bare.insert(*longest);
  EXPECT_GT(cut_vocabulary(whole, {bare.begin(), bare.end()}).encode(" kitchen").size(), 1U);
}

TEST(VocabularyCut, RequiresSpecialTokensAndBytes) {
  const Tokenizer whole = trained();
  const std::vector<TokenId> required = required_tokens(whole);
  EXPECT_EQ(required.size(), 258U);  // 256 bytes and two special tokens
  for (const char* token : {"<|endoftext|>", "<|user|>"})
    EXPECT_TRUE(std::binary_search(required.begin(), required.end(), *whole.find(token))) << token;
}

TEST(VocabularyCut, RenumbersWhatThePostProcessorNames) {
  const Tokenizer whole = trained();
  nlohmann::json json = nlohmann::json::parse(whole.to_json());
  const TokenId user = *whole.find("<|user|>");
  json["post_processor"] = {
      {"type", "TemplateProcessing"},
      {"single",
       {{{"SpecialToken", {{"id", "<|user|>"}, {"type_id", 0}}}}, {{"Sequence", {{"id", "A"}, {"type_id", 0}}}}}},
      {"pair", nlohmann::json::array()},
      {"special_tokens", {{"<|user|>", {{"id", "<|user|>"}, {"ids", {user}}, {"tokens", {"<|user|>"}}}}}}};
  // The special token moves to the end, so that the cut changes its id.
  const TokenId last = static_cast<TokenId>(whole.vocabulary_size());
  for (auto& token : json["added_tokens"])
    if (token["content"] == "<|user|>") token["id"] = last;
  json["model"]["vocab"].erase("<|user|>");
  json["post_processor"]["special_tokens"]["<|user|>"]["ids"] = {last};
  const Tokenizer moved = Tokenizer::parse(json.dump(), "moved");
  ASSERT_EQ(moved.begin_token(), last);
  const Tokenizer cut = cut_vocabulary(moved, required_tokens(moved));
  EXPECT_EQ(cut.begin_token(), cut.find("<|user|>"));
  EXPECT_EQ(*cut.find("<|user|>"), cut.vocabulary_size() - 1);
}

TEST(VocabularyCut, RefusesToDropASpecialToken) {
  const Tokenizer whole = trained();
  EXPECT_THROW(cut_vocabulary(whole, {3, 4, 5}), std::invalid_argument);
  EXPECT_THROW(cut_vocabulary(whole, {5, 4}), std::invalid_argument);
}

}  // namespace
}  // namespace retort::text
