// Rows that cannot be trained on are counted with their reason; the others carry masks and hashes.
#include "train/corpus.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "host/base/files.h"
#include "runtime/random_model.h"
#include "text/bpe_trainer.h"

namespace retort::train {
namespace {

namespace fs = std::filesystem;

struct Counts {
  std::map<std::string, double> metrics;
  std::string log;
  RunHooks hooks() {
    return {[this](std::string_view name, std::int64_t, double value) { metrics[std::string(name)] = value; },
            [](std::string_view, std::int64_t, std::int64_t, std::string_view) {}, [] {},
            [this](std::string_view message) { log += message; }};
  }
};

task::PromptContract contract() {
  const nlohmann::json schema = {{"type", "object"}, {"properties", {{"room", {{"type", "string"}}}}}};
  return {"functional_tokens", {{"dim", "", schema}}};
}

text::Tokenizer tokenizer() {
  return text::Tokenizer::parse(
      text::train_byte_level_bpe({" dim the hall"},
                                 {.vocabulary_size = 300, .special_tokens = contract().special_tokens()}),
      "test");
}

task::Example example(const std::string& utterance, const std::string& tool = "dim") {
  return {utterance, std::vector<task::Call>{{tool, {{"room", "hall"}}}}, nlohmann::json::object()};
}

/// Ten good rows, and what is appended.
fs::path file_with(const runtime::testing::TemporaryFolder& folder, const std::vector<task::Example>& more,
                   const std::string& raw = "") {
  std::vector<task::Example> rows(10, example("dim the hall"));
  rows.insert(rows.end(), more.begin(), more.end());
  task::write_split(folder.path() / "train.jsonl", rows);
  std::ofstream(folder.path() / "train.jsonl", std::ios::app) << raw;
  return folder.path() / "train.jsonl";
}

}  // namespace

TEST(Corpus, LeavesBadRowsOutAndCountsThem) {
  const runtime::testing::TemporaryFolder folder;
  const fs::path file = file_with(
      folder, {example(std::string(400, 'x')), example("dim it", "unknown_tool"), {"hello", std::nullopt, {}}},
      "not json\n");
  Counts counts;
  const Corpus corpus = tokenised(read_labelled_rows(file), contract(), tokenizer(), {64, 0, 0.5}, counts.hooks());
  EXPECT_EQ(corpus.examples.size(), 10u);
  ASSERT_EQ(corpus.sequences.size(), 10u);
  EXPECT_EQ(corpus.sequences[9].example, 9u);
  EXPECT_EQ(counts.metrics["examples"], 10);
  EXPECT_EQ(counts.metrics["rejected_rows"], 3);
  EXPECT_EQ(counts.metrics["unlabelled_rows"], 1);
  for (const char* reason : {"line 14", "the model holds 64", "unknown_tool"})
    EXPECT_NE(counts.log.find(reason), std::string::npos) << reason << " in " << counts.log;
}

TEST(Corpus, RefusesTooManyBadRows) {
  const runtime::testing::TemporaryFolder folder;
  const fs::path file = file_with(folder, {example(std::string(400, 'x'))});  // 1 of 11
  Counts counts;
  EXPECT_NO_THROW(tokenised(read_labelled_rows(file), contract(), tokenizer(), {64, 0, 0.1}, counts.hooks()));
  try {
    tokenised(read_labelled_rows(file), contract(), tokenizer(), {64, 0, 0.09}, counts.hooks());
    FAIL() << "expected an error";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("1 of 11 rows"), std::string::npos) << error.what();
    EXPECT_NE(std::string(error.what()).find("the model holds 64"), std::string::npos) << error.what();
  }
  EXPECT_THROW(tokenised(read_labelled_rows(file), contract(), tokenizer(), {2, 0, 1.0}, counts.hooks()),
               std::runtime_error);  // none is left
}

TEST(Corpus, MasksTheResponseAndWeighsThePrompt) {
  const Sequence plain = to_sequence(example("dim the hall"), contract(), tokenizer());
  EXPECT_EQ(plain.label_weight(), static_cast<double>(plain.response.size()));
  EXPECT_EQ(plain.weight(plain.prompt.size()), 1.0F);
  EXPECT_EQ(plain.weight(plain.prompt.size() - 1), 0.0F);
  const Sequence weighed = to_sequence(example("dim the hall"), contract(), tokenizer(), 0.5);
  EXPECT_EQ(weighed.weight(0), 0.0F);
  EXPECT_EQ(weighed.label_weight(),
            static_cast<double>(plain.response.size()) + 0.5 * static_cast<double>(plain.prompt.size() - 1));
}

TEST(Corpus, HashesTheTokens) {
  EXPECT_EQ(sequence_hash({5, 17, 4}, {9, 2}), host::sha256("5 17 4|9 2"));
  EXPECT_NE(sequence_hash({5, 17}, {4, 9, 2}), sequence_hash({5, 17, 4}, {9, 2}));
  const Sequence hall = to_sequence(example("dim the hall"), contract(), tokenizer());
  EXPECT_EQ(hall.hash, sequence_hash(hall.prompt, hall.response));
  EXPECT_NE(hall.hash, to_sequence(example("dim a hall"), contract(), tokenizer()).hash);
}

TEST(Corpus, NamesRowsWithAnEmptyAnswer) {
  const runtime::testing::TemporaryFolder folder;
  const fs::path file =
      file_with(folder, {}, R"({"messages":[{"role":"user","content":"hm"},{"role":"assistant","content":""}]}
{"messages":[{"role":"user","content":"well"},{"role":"assistant","content":null}]}
)");
  Counts counts;
  const Corpus corpus = tokenised(read_labelled_rows(file), contract(), tokenizer(), {64, 0, 0.5}, counts.hooks());
  EXPECT_EQ(counts.metrics.at("empty_answers"), 2);
  EXPECT_NE(counts.log.find("2 of 12 rows have an empty answer"), std::string::npos) << counts.log;
  ASSERT_EQ(corpus.sequences.size(), 12u);
  EXPECT_GT(corpus.sequences.back().label_weight(), 0);  // that no call answers is something to learn
}

}  // namespace retort::train
