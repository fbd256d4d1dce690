// A pretrained model gets the task's tokens: what it knew stays, new rows begin as the mean of their names' pieces, and
// fine-tuning goes on from there.
#include "train/task_adaptation.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "host/base/files.h"
#include "runtime/random_model.h"
#include "task/dataset.h"
#include "text/bpe_trainer.h"
#include "train/fine_tuning.h"

namespace retort::train {
namespace {

namespace fs = std::filesystem;

class TaskAdaptation : public ::testing::Test {
 protected:
  /// `padding` rows of the embedding belong to no token.
  void write_pretrained(std::int64_t padding, bool tied, const std::string& family = "") {
    const std::string tokenizer = text::train_byte_level_bpe({"dim the kitchen light", "dim the hall light to ten"},
                                                             {.vocabulary_size = 270, .special_tokens = {"<|eot|>"}});
    tokens_ = text::Tokenizer::parse(tokenizer, "the test's").vocabulary_size();
    model::ModelConfig config =
        family.empty() ? runtime::testing::awkward_config() : runtime::testing::awkward_config(family);
    config.vocabulary_size = tokens_ + padding;
    config.tie_word_embeddings = tied;
    weights_ = runtime::testing::random_weights(config, 3);
    runtime::testing::write_model(folder_.path(), config, weights_, runtime::testing::Storage::f32);
    host::write_file_atomically(folder_.path() / "tokenizer.json", tokenizer);
    fs::remove(folder_.path() / "retort.json");
  }
  static task::PromptContract contract() {
    const nlohmann::json schema = {{"type", "object"}, {"properties", {{"light", {{"type", "string"}}}}}};
    return {"functional_tokens", {{"dim", "dims", schema}}};
  }
  /// Row `id` of a [V,D] weight as it was written.
  torch::Tensor written(const std::string& name, std::int64_t id) {
    std::vector<float>& all = weights_.at(name);
    const torch::Tensor matrix = torch::from_blob(all.data(), {static_cast<std::int64_t>(all.size())});
    return matrix.reshape({-1, 70})[id];
  }
  CallModule adapted() { return adapt_to_task(model::ModelFolder(folder_.path()), contract()); }

  std::int64_t tokens_ = 0;  ///< of the pretrained tokenizer
  runtime::testing::TemporaryFolder folder_;
  runtime::testing::Weights weights_;
};

TEST_F(TaskAdaptation, WhatItKnewStaysAndNewRowsAreMeansOfTheirNames) {
  write_pretrained(0, false);
  CallModule module = adapted();
  // pad, user, assistant, end, none, next, call:dim and light
  ASSERT_EQ(module.tokenizer.vocabulary_size(), tokens_ + 8);
  ASSERT_EQ(module.decoder->config().vocabulary_size, tokens_ + 8);
  const text::Tokenizer old = text::Tokenizer::load(folder_.path());
  for (const std::string name : {"model.embed_tokens.weight", "lm_head.weight"}) {
    const torch::Tensor& matrix = module.decoder->weight(name);
    for (const std::int64_t id : {std::int64_t{0}, std::int64_t{100}, tokens_ - 1})
      EXPECT_TRUE(matrix[id].equal(written(name, id))) << name << " " << id;
    for (const auto& [token, word] : {std::pair<std::string, std::string>{"<|call:dim|>", " dim"},
                                      {"<|light|>", " light"},
                                      {"<|none|>", " none"}}) {
      const std::vector<text::TokenId> pieces = old.encode(word);
      torch::Tensor mean = torch::zeros({70});
      for (const text::TokenId piece : pieces) mean += written(name, piece) / static_cast<double>(pieces.size());
      EXPECT_TRUE(matrix[module.tokenizer.find(token).value()].allclose(mean, 0, 1e-6)) << name << " " << token;
    }
  }
  EXPECT_TRUE(module.decoder->weight("model.layers.1.mlp.up_proj.weight")
                  .flatten()[17]
                  .equal(torch::tensor(weights_.at("model.layers.1.mlp.up_proj.weight")[17])));
  EXPECT_EQ(module.decoder->config().eos_token, module.tokenizer.find("<|end|>").value());
}

TEST_F(TaskAdaptation, UsesPaddingRowsFirst) {
  write_pretrained(5, true, "qwen3");
  CallModule module = adapted();
  EXPECT_EQ(module.decoder->config().vocabulary_size, tokens_ + 8);
  EXPECT_EQ(module.tokenizer.find("<|pad|>").value(), tokens_);
  write_pretrained(50, true);
  EXPECT_EQ(adapted().decoder->config().vocabulary_size, tokens_ + 50);
}

TEST_F(TaskAdaptation, FineTuningGoesOnFromAPretrainedModel) {
  write_pretrained(0, true, "qwen2");
  const fs::path root = folder_.path();
  for (const char* name : {"dataset", "output", "work", "again", "work2"}) fs::create_directories(root / name);
  host::write_file_atomically(root / "dataset" / "tools.json",
                              R"([{"type":"function","function":{"name":"dim","description":"dims","parameters":
          {"type":"object","properties":{"light":{"type":"string"}}}}}])");
  task::write_split(root / "dataset" / "train.jsonl",
                    {{"dim the kitchen light", std::vector<task::Call>{{"dim", {{"light", "kitchen"}}}}, {}},
                     {"dim the hall light", std::vector<task::Call>{{"dim", {{"light", "hall"}}}}, {}}});
  FineTuningJob job;
  job.dataset = root / "dataset";
  job.start = root;
  job.training.steps = 60;
  job.training.learning_rate = 3e-3;
  job.output = root / "output";
  job.work = root / "work";
  double first = -1, last = -1;
  RunHooks hooks{[&](std::string_view name, std::int64_t step, double value) {
                   if (name != "loss") return;
                   if (step == 0) first = value;
                   last = value;
                 },
                 [](std::string_view, std::int64_t, std::int64_t, std::string_view) {}, [] {}, [](std::string_view) {}};
  fine_tune(job, hooks);
  EXPECT_GT(first, 1);
  EXPECT_LT(last, 0.05);
  EXPECT_EQ(model::ModelFolder(job.output).config().architecture, "Qwen2ForCausalLM");

  // The result has a task, so a second round keeps its vocabulary and starts where the first one ended.
  job.start = root / "output";
  job.output = root / "again";
  job.work = root / "work2";
  fine_tune(job, hooks);
  EXPECT_LT(first, 0.05);
  EXPECT_EQ(host::read_file(root / "again" / "tokenizer.json"), host::read_file(root / "output" / "tokenizer.json"));
}

}  // namespace
}  // namespace retort::train
