// What a student takes from its teacher: rows by spelling and by pieces, principal components, layers.
#include "train/initialisation.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "runtime/random_model.h"
#include "text/bpe_trainer.h"

namespace retort::train {
namespace {

using runtime::testing::awkward_config;
using torch::Tensor;

text::Tokenizer trained_on(const std::vector<std::string>& texts, std::int64_t size,
                           std::vector<std::string> special = {}) {
  return text::Tokenizer::parse(
      text::train_byte_level_bpe(texts, {.vocabulary_size = size, .special_tokens = std::move(special)}), "test");
}

const std::vector<std::string> home = {"turn on the kitchen light", "turn off the kitchen light",
                                       "turn on the garden light", "the kitchen light"};

Tensor normal(std::vector<std::int64_t> shape, std::uint64_t seed) {
  return torch::empty(shape).normal_(0, 1, at::make_generator<at::CPUGeneratorImpl>(seed));
}

}  // namespace

TEST(Initialisation, RowsAreOfTheSameSpellingOrTheMeanOfThePieces) {
  const text::Tokenizer student = trained_on(home, 300, {"<|call:kitchen|>"});
  const text::Tokenizer teacher = trained_on({"turn turn on on"}, 262);
  const Tensor rows = normal({teacher.vocabulary_size(), 5}, 1);
  const TokenRows found = rows_for_tokens(student, teacher, rows);
  int same = 0, split = 0;
  for (std::int64_t id = 0; id < student.vocabulary_size(); ++id) {
    const auto token = static_cast<text::TokenId>(id);
    if (student.is_special(token) || student.token(token).empty()) continue;
    if (const auto alike = teacher.find(student.token(token))) {
      EXPECT_TRUE(torch::equal(found.rows[id], rows[*alike]));
      ++same;
      continue;
    }
    const auto pieces = teacher.encode(student.token_bytes(token));
    ASSERT_GT(pieces.size(), 1u);
    Tensor sum = torch::zeros({5});
    for (const text::TokenId piece : pieces) sum += rows[piece];
    EXPECT_TRUE(torch::allclose(found.rows[id], sum / static_cast<double>(pieces.size()), 1e-5, 1e-6));
    ++split;
  }
  EXPECT_GE(same, 90);  // the printable bytes at least
  EXPECT_GE(split, 5);
  const std::int64_t special = *student.find("<|call:kitchen|>");
  Tensor words = torch::zeros({5});
  const auto pieces = teacher.encode(" kitchen");
  for (const text::TokenId piece : pieces) words += rows[piece] / static_cast<double>(pieces.size());
  EXPECT_TRUE(torch::allclose(found.rows[special], words, 1e-5, 1e-6));
  EXPECT_TRUE(found.found[special].item<bool>());
}

TEST(Initialisation, PrincipalComponentsKeepTheDistancesOfWhatLiesInFewDirections) {
  const Tensor rows = normal({40, 3}, 2).matmul(normal({3, 12}, 3)) + 7;  // three directions, far from the origin
  Tensor found = torch::ones({40}, torch::kBool);
  const Tensor few = principal_components({rows, found}, 3);
  EXPECT_LT((torch::cdist(rows, rows, 2, 2) - torch::cdist(few, few, 2, 2)).abs().max().item<double>(), 1e-3);
  // Against the singular values of the centred rows.
  const Tensor centred = (rows - rows.mean(0, true)).to(torch::kFloat64);
  const Tensor values = torch::linalg_svdvals(centred).narrow(0, 0, 3);
  EXPECT_TRUE(torch::allclose(few.to(torch::kFloat64).norm(2, 0), values, 1e-4, 1e-4));
  // A row that nobody found moves nothing.
  Tensor spoilt = rows.clone();
  spoilt[4].fill_(1e4);
  found[4].fill_(false);
  const Tensor others = torch::cat({torch::arange(4), torch::arange(5, 40)});
  const Tensor without = principal_components({rows.index_select(0, others), torch::ones({39}, torch::kBool)}, 3);
  EXPECT_TRUE(torch::allclose(principal_components({spoilt, found}, 3).index_select(0, others), without, 1e-4, 1e-3));
}

TEST(Initialisation, EmbeddingsComeInTheScaleOfTheStudentsOwn) {
  const text::Tokenizer tokenizer = trained_on(home, 280);
  model::ModelConfig big = awkward_config("llama3"), small = awkward_config("llama3");  // heads of their own
  big.vocabulary_size = small.vocabulary_size = tokenizer.vocabulary_size();
  small.hidden_size = 24;
  DecoderModule teacher(big, 1), student(small, 2);
  torch::NoGradGuard no_grad;
  teacher.weight("model.embed_tokens.weight").mul_(30);
  const Tensor head = student.weight("lm_head.weight").detach().clone();
  EXPECT_EQ(take_embeddings(student, tokenizer, teacher, tokenizer), 0);
  const Tensor& rows = student.weight("model.embed_tokens.weight");
  EXPECT_NEAR(rows.square().mean().sqrt().item<double>(), 1 / std::sqrt(24.0), 1e-6);
  EXPECT_FALSE(torch::equal(head, student.weight("lm_head.weight")));
  const Tensor expected =
      principal_components(rows_for_tokens(tokenizer, tokenizer, teacher.weight("model.embed_tokens.weight")), 24);
  EXPECT_TRUE(torch::allclose(rows, expected * (rows.norm() / expected.norm()), 1e-4, 1e-6));
}

TEST(Initialisation, LayersAreChosenEvenlyWithFirstAndLast) {
  using Layers = std::vector<std::int64_t>;
  EXPECT_EQ(evenly_chosen(12, 4), (Layers{0, 4, 7, 11}));
  EXPECT_EQ(evenly_chosen(5, 3), (Layers{0, 2, 4}));
  EXPECT_EQ(evenly_chosen(3, 3), (Layers{0, 1, 2}));
  EXPECT_EQ(evenly_chosen(6, 1), (Layers{0}));
  EXPECT_THROW(evenly_chosen(3, 4), std::invalid_argument);
}

TEST(Initialisation, AStudentOfAllLayersIsItsTeacher) {
  DecoderModule teacher(awkward_config("qwen2"), 1);
  const auto whole = with_layers(teacher, evenly_chosen(3, 3));
  const auto two = with_layers(teacher, evenly_chosen(3, 2));
  const Tensor ids = torch::tensor({{5, 17, 130, 0, 64}}, torch::kInt64);
  torch::NoGradGuard no_grad;
  EXPECT_TRUE(torch::equal(whole->hidden(ids), teacher.hidden(ids)));
  EXPECT_EQ(two->config().layers, 2);
  EXPECT_TRUE(torch::equal(two->weight("model.layers.1.mlp.up_proj.weight"),
                           teacher.weight("model.layers.2.mlp.up_proj.weight")));
}

}  // namespace retort::train
