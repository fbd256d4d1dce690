// The trainer against a slow, obvious one; determinism; what the written tokenizer.json gives back.
#include "text/bpe_trainer.h"

#include <map>
#include <random>
#include <sstream>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace retort::text {
namespace {

using tests::contains;
using tests::error_of;
using Json = nlohmann::json;

std::vector<std::string> random_texts(unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::string> texts;
  for (int i = 0; i < 60; ++i) {
    std::string text;
    for (unsigned length = 1 + random() % 20; length > 0; --length) text += "aab c"[random() % 5];
    texts.push_back(text);
  }
  return texts;
}

/// Counts every pair anew before every merge. Symbols are spelled out; ties go to the smaller ids.
std::vector<std::string> reference_merges(const std::vector<std::string>& texts, const Json& vocabulary,
                                          std::size_t count, std::int64_t minimum_frequency) {
  std::map<std::vector<std::string>, std::int64_t> words;
  const PreTokenizer pre_tokenizer = PreTokenizer::gpt2();
  for (const std::string& text : texts)
    pre_tokenizer.split(text, [&](std::string_view piece) {
      std::vector<std::string> symbols;
      for (const char c : piece) symbols.push_back(c == ' ' ? "Ġ" : std::string(1, c));
      ++words[symbols];
    });
  std::vector<std::string> merges;
  while (merges.size() < count) {
    std::map<std::pair<TokenId, TokenId>, std::int64_t> counts;
    std::map<std::pair<TokenId, TokenId>, std::pair<std::string, std::string>> spelled;
    for (const auto& [symbols, frequency] : words)
      for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
        const std::pair<TokenId, TokenId> ids = {vocabulary.at(symbols[i]), vocabulary.at(symbols[i + 1])};
        counts[ids] += frequency;
        spelled[ids] = {symbols[i], symbols[i + 1]};
      }
    auto best = counts.end();
    for (auto pair = counts.begin(); pair != counts.end(); ++pair)
      if (best == counts.end() || pair->second > best->second) best = pair;
    if (best == counts.end() || best->second < minimum_frequency) break;
    const auto [left, right] = spelled.at(best->first);
    merges.push_back(left + " " + right);
    std::map<std::vector<std::string>, std::int64_t> merged_words;
    for (const auto& [symbols, frequency] : words) {
      std::vector<std::string> merged;
      for (std::size_t i = 0; i < symbols.size(); ++i) {
        const bool both = i + 1 < symbols.size() && symbols[i] == left && symbols[i + 1] == right;
        merged.push_back(both ? left + right : symbols[i]);
        i += both ? 1 : 0;
      }
      merged_words[merged] += frequency;
    }
    words = std::move(merged_words);
  }
  return merges;
}

TEST(BpeTrainer, AgreesWithTheReferenceTrainer) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    const auto texts = random_texts(seed);
    const Json json = Json::parse(train_byte_level_bpe(texts, {.vocabulary_size = 300, .minimum_frequency = 2}));
    const auto merges = json.at("model").at("merges").get<std::vector<std::string>>();
    EXPECT_GE(merges.size(), 20U);
    EXPECT_EQ(merges, reference_merges(texts, json.at("model").at("vocab"), merges.size(), 2)) << "seed " << seed;
  }
}

TEST(BpeTrainer, IsDeterministic) {
  const BpeTrainerOptions options{.vocabulary_size = 300, .special_tokens = {"<|a|>", "<|b|>"}};
  const auto texts = random_texts(4);
  const std::string once = train_byte_level_bpe(texts, options);
  EXPECT_EQ(train_byte_level_bpe(texts, options), once);
  EXPECT_EQ(train_byte_level_bpe({texts.rbegin(), texts.rend()}, options), once);
}

TEST(BpeTrainer, SpecialTokensGetTheLastIds) {
  const Tokenizer tokenizer = Tokenizer::parse(
      train_byte_level_bpe(random_texts(5), {.vocabulary_size = 280, .special_tokens = {"<|x|>", "<|y|>"}}), "trained");
  EXPECT_EQ(tokenizer.vocabulary_size(), 280);
  EXPECT_EQ(tokenizer.find("<|x|>"), 278);
  EXPECT_EQ(tokenizer.find("<|y|>"), 279);
  EXPECT_TRUE(tokenizer.is_special(278));
  EXPECT_FALSE(tokenizer.is_special(277));
}

TEST(BpeTrainer, StopsAtTheMinimumFrequency) {
  const auto size = [](std::int64_t minimum) {
    const auto json = train_byte_level_bpe({"ab", "ab", "cd"}, {.vocabulary_size = 999, .minimum_frequency = minimum});
    return Tokenizer::parse(json, "trained").vocabulary_size();
  };
  EXPECT_EQ(size(1), 258);
  EXPECT_EQ(size(2), 257);
  EXPECT_EQ(size(3), 256);
}

TEST(BpeTrainer, RefusesImpossibleOptions) {
  EXPECT_TRUE(
      contains(error_of([] { train_byte_level_bpe({}, {.vocabulary_size = 256, .special_tokens = {"<|x|>"}}); }),
               "expected at least 257"));
  EXPECT_TRUE(contains(error_of([] { train_byte_level_bpe({}, {.special_tokens = {"x", "x"}}); }), "\"x\""));
  EXPECT_TRUE(contains(error_of([] { train_byte_level_bpe({}, {.special_tokens = {""}}); }), "empty"));
}

TEST(BpeTrainer, RoundTripsRealUtterances) {
  const auto path = tests::shared_data("snips-splits/train/seq.in");
  RETORT_NEEDS(path);
  std::istringstream lines(host::read_file(path));
  std::vector<std::string> texts;
  std::size_t bytes = 0;
  for (std::string line; std::getline(lines, line);) texts.push_back(" " + line);
  const Tokenizer tokenizer = Tokenizer::parse(
      train_byte_level_bpe(texts, {.vocabulary_size = 2048, .special_tokens = {"<|end|>"}}), "trained");
  EXPECT_EQ(tokenizer.vocabulary_size(), 2048);
  std::size_t tokens = 0;
  for (const std::string& text : texts) {
    const auto ids = tokenizer.encode(text);
    ASSERT_EQ(tokenizer.decode(ids), text);
    tokens += ids.size();
    bytes += text.size();
  }
  EXPECT_LT(tokens * 3, bytes);  // a vocabulary of whole words: more than three bytes a token
  EXPECT_EQ(tokenizer.decode(tokenizer.encode("unseen: ﷽ 日本\n")), "unseen: ﷽ 日本\n");
}

}  // namespace
}  // namespace retort::text
