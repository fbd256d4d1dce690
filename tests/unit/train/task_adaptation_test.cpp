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
#include "train/initialisation.h"
#include "train/prompt_attention.h"

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
  /// A job of two rows below the folder.
  FineTuningJob two_rows() {
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
    job.output = root / "output";
    job.work = root / "work";
    return job;
  }
  CallModule adapted() { return adapt_to_task(model::ModelFolder(folder_.path()), contract()); }

  std::int64_t tokens_ = 0;  ///< of the pretrained tokenizer
  runtime::testing::TemporaryFolder folder_;
  runtime::testing::Weights weights_;
};

TEST_F(TaskAdaptation, PromptsMayBeReadInBothDirections) {
  write_pretrained(0, true);
  const model::ModelFolder folder(folder_.path());
  const CallModule module = adapt_to_task(folder, contract(), "bidirectional");
  const model::ModelConfig& config = module.decoder->config();
  EXPECT_EQ(config.architecture, "PrefixLlamaForCausalLM");
  EXPECT_EQ(config.prompt_end_token, module.tokenizer.find("<|assistant|>"));
  const std::vector<text::TokenId> prompt = module.contract.prompt(module.tokenizer, "dim the hall light");
  EXPECT_EQ(config.read_both_ways(prompt), static_cast<std::int64_t>(prompt.size()));
  EXPECT_EQ(adapted().decoder->config().prompt_end_token, -1);
  EXPECT_NO_THROW(expect_unlearnt_prompts(0, config));
  EXPECT_THROW(expect_unlearnt_prompts(0.1, config), std::invalid_argument);
  EXPECT_THROW(adapt_to_task(folder, contract(), "both"), std::invalid_argument);
  model::ModelConfig back = config;
  set_prompt_attention("causal", module.contract, module.tokenizer, back);
  EXPECT_EQ(back.architecture, "LlamaForCausalLM");
  EXPECT_EQ(back.prompt_end_token, -1);
  write_pretrained(0, true, "qwen3");
  EXPECT_THROW(adapt_to_task(model::ModelFolder(folder_.path()), contract(), "bidirectional"), std::invalid_argument);
}

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
  FineTuningJob job = two_rows();
  job.start = root;
  job.training.steps = 60;
  job.training.learning_rate = 3e-3;
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

  // Another form of calls is taught to it, in the vocabulary that it has.
  job.call_format = "json";
  job.output = root / "as_json";
  job.work = root / "work3";
  fine_tune(job, hooks);
  EXPECT_LT(last, 0.05);
  EXPECT_EQ(load_call_module(job.output).contract.format(), "json");
  EXPECT_EQ(load_call_module(root / "again").contract.format(), "functional_tokens");
}

TEST_F(TaskAdaptation, ANewModelsEmbeddingBeginsWithAPretrainedOnes) {
  write_pretrained(0, true);
  FineTuningJob job = two_rows();
  job.embeddings = folder_.path();
  job.model = {.vocabulary_size = 280,
               .hidden_size = 32,
               .layers = 1,
               .heads = 2,
               .kv_heads = 2,
               .intermediate_size = 40,
               .max_positions = 64};
  job.training.steps = 1;
  job.training.learning_rate = 1e-12;
  job.tag_weight = 0.5;  // learns too, in a new model as in any
  job.answer_tag_weight = 1.5;
  job.calls_as_taught = true;
  std::string said;
  const RunHooks hooks{[](std::string_view, std::int64_t, double) {},
                       [](std::string_view, std::int64_t, std::int64_t, std::string_view) {}, [] {},
                       [&](std::string_view line) { said += line; }};
  fine_tune(job, hooks);
  EXPECT_NE(said.find("embeddings begin with those of '" + folder_.path().string()), std::string::npos) << said;
  const CallModule made = load_call_module(job.output);
  EXPECT_EQ(made.contract.tag_weight(), 1.5);
  EXPECT_EQ(made.contract.grammar(), nlohmann::json({{"most_calls", 1}, {"no_call", false}}));
  DecoderModule expected(made.decoder->config(), job.seed);
  const std::unique_ptr<DecoderModule> pretrained = load_decoder(model::ModelFolder(folder_.path()));
  const torch::Tensor random = expected.weight("model.embed_tokens.weight").detach().clone();
  take_embeddings(expected, made.tokenizer, *pretrained, text::Tokenizer::load(folder_.path() / "tokenizer.json"));
  const torch::Tensor& found = made.decoder->weight("model.embed_tokens.weight");
  EXPECT_LT((found - expected.weight("model.embed_tokens.weight")).abs().max().item<double>(), 1e-6);
  EXPECT_GT((found - random).abs().max().item<double>(), 1e-2);

  job.start = folder_.path();
  EXPECT_THROW(fine_tune(job, hooks), std::invalid_argument);
  job.embeddings.reset();
  job.start.reset();
  job.call_format = "json";
  EXPECT_THROW(fine_tune(job, hooks), std::invalid_argument);  // has no tokens for tags
}

}  // namespace
}  // namespace retort::train
