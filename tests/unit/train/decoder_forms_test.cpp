// Ways through the decoder that must not change what it computes: recomputed layers, packed sequences, LoRA factors,
// logits in chunks.
#include <gtest/gtest.h>
#include <torch/types.h>

#include "runtime/random_model.h"
#include "train/batch_rows.h"
#include "train/decoder_module.h"
#include "train/low_rank.h"
#include "train/row_chunks.h"

namespace retort::train {
namespace {

using runtime::testing::awkward_config;
using torch::Tensor;

const std::vector<std::string> families = {"", "qwen2", "qwen3", "llama3", "gemma3", "prefix"};

model::ModelConfig config_of(const std::string& family) {
  return family.empty() ? awkward_config() : awkward_config(family);
}

/// Unequal lengths, two of them equal.
std::vector<Sequence> some_sequences() {
  std::vector<Sequence> sequences;
  std::int64_t next = 3;
  for (const std::size_t length : {9u, 4u, 17u, 4u}) {
    Sequence sequence;
    for (std::size_t t = 0; t < length; ++t) {
      next = (next * 37 + 11) % 131;
      (t < length / 2 ? sequence.prompt : sequence.response).push_back(static_cast<text::TokenId>(next));
    }
    sequences.push_back(std::move(sequence));
  }
  return sequences;
}

const std::vector<std::size_t> all_four = {0, 1, 2, 3};

Tensor states_at(const Tensor& hidden, const BatchRows& rows) {
  return hidden.reshape({-1, hidden.size(-1)}).index_select(0, rows.index);
}

std::vector<Tensor> gradients_of(const Tensor& loss, const std::vector<Tensor>& inputs) {
  return torch::autograd::grad({loss}, inputs, {}, std::nullopt, false, true);
}

void expect_all_near(const std::vector<Tensor>& a, const std::vector<Tensor>& b, double tolerance,
                     const std::string& what) {
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(a[i].defined(), b[i].defined()) << what << " " << i;
    if (!a[i].defined()) continue;
    EXPECT_LE((a[i] - b[i]).abs().max().item<double>(), tolerance) << what << " " << i;
    EXPECT_GT(a[i].abs().sum().item<double>(), 0) << what << " " << i;
  }
}

}  // namespace

TEST(DecoderForms, RecomputedLayersGiveTheSameBits) {
  const std::vector<Sequence> sequences = some_sequences();
  const BatchRows rows = batch_rows(sequences, all_four);
  for (const std::string& family : families)
    for (const double dropout : {0.0, 0.3}) {
      DecoderModule decoder(config_of(family), 1);
      const auto run = [&](bool recompute) {
        decoder.recomputes_layers = recompute;
        std::vector<Tensor> layers;
        const Tensor hidden = decoder.hidden(rows.ids, {dropout, 5}, &layers);
        const Tensor loss = decoder.logits(states_at(hidden, rows)).square().sum() + layers.back().square().sum();
        auto found = gradients_of(loss, decoder.parameters());
        found.push_back(loss.detach());
        return found;
      };
      const std::vector<Tensor> kept = run(false), again = run(true);
      for (std::size_t i = 0; i < kept.size(); ++i)
        EXPECT_TRUE(torch::equal(kept[i], again[i])) << family << " dropout " << dropout << " " << i;
    }
}

TEST(DecoderForms, PackedSequencesAreThePaddedOnes) {
  const std::vector<Sequence> sequences = some_sequences();
  const BatchRows padded = batch_rows(sequences, all_four, 7), packed = packed_rows(sequences, all_four, 7);
  EXPECT_EQ(packed.ids.sizes().vec(), (std::vector<std::int64_t>{34}));
  EXPECT_EQ(packed.packed, (std::vector<std::int64_t>{9, 4, 17, 4}));
  EXPECT_TRUE(torch::equal(packed.labels, padded.labels));
  EXPECT_TRUE(torch::equal(packed.ids.index_select(0, packed.index + 1), packed.labels));
  for (const std::string& family : families) {
    DecoderModule decoder(config_of(family), 1);
    const auto run = [&](const BatchRows& rows, const Tensor& hidden) {
      const Tensor states = states_at(hidden, rows);
      auto found = gradients_of(torch::cross_entropy_loss(decoder.logits(states), rows.labels), decoder.parameters());
      found.push_back(states.detach());
      return found;
    };
    const auto one = run(padded, decoder.hidden(padded.ids));
    const auto other = run(packed, decoder.hidden_packed(packed.ids, packed.packed));
    expect_all_near(one, other, 1e-5, family);  // f32 sums over other numbers of rows; the numbers are near 1
  }
}

TEST(DecoderForms, LowRankFactorsMergeIntoTheWeights) {
  const std::vector<Sequence> sequences = some_sequences();
  const BatchRows rows = batch_rows(sequences, all_four);
  for (const std::string& family : families) {
    DecoderModule plain(config_of(family), 1), adapted(config_of(family), 1), merged(config_of(family), 1);
    LowRankOptions options;
    options.rank = 3;
    options.alpha = 6;
    const ParameterGroup group = add_low_rank(adapted, options, 4);
    EXPECT_EQ(group.tensors.size(), 2u * 7 * 3);
    const auto states = [&](DecoderModule& decoder) { return states_at(decoder.hidden(rows.ids), rows).detach(); };
    EXPECT_TRUE(torch::equal(states(plain), states(adapted))) << family;  // B begins as zeros
    torch::NoGradGuard no_grad;
    for (const auto& [name, factor] : group.tensors)
      if (name.ends_with(".b")) Tensor(factor).normal_(0, 0.1, at::make_generator<at::CPUGeneratorImpl>(9));
    for (const auto& [name, weight] : merged.weights()) Tensor(weight).copy_(adapted.merged_weight(name));
    const Tensor with = states(adapted);
    EXPECT_LT((with - states(merged)).abs().max().item<double>(), 1e-5) << family;
    EXPECT_GT((with - states(plain)).abs().max().item<double>(), 1e-2) << family;
    for (std::size_t i = 0; i < plain.weights().size(); ++i)
      EXPECT_TRUE(torch::equal(plain.weights()[i].second, adapted.weights()[i].second)) << plain.weights()[i].first;
  }
}

TEST(DecoderForms, OnlyLowRankFactorsLearnAlsoWhereLayersAreRecomputed) {
  const std::vector<Sequence> sequences = some_sequences();
  const BatchRows rows = batch_rows(sequences, all_four);
  std::vector<std::vector<Tensor>> found;
  for (const bool recompute : {false, true}) {
    DecoderModule decoder(config_of("qwen3"), 1);
    LowRankOptions options;
    options.rank = 2;
    options.targets = {"q_proj", "down_proj"};
    const ParameterGroup group = add_low_rank(decoder, options, 4);
    decoder.recomputes_layers = recompute;
    std::vector<Tensor> factors;
    for (const auto& [name, factor] : group.tensors) {
      if (name.ends_with(".b")) factor.detach().fill_(0.01);
      factors.push_back(factor);
    }
    EXPECT_EQ(factors.size(), 2u * 2 * 3);
    for (const auto& [name, weight] : decoder.weights()) EXPECT_FALSE(weight.requires_grad()) << name;
    found.push_back(gradients_of(decoder.logits(states_at(decoder.hidden(rows.ids), rows)).square().sum(), factors));
  }
  expect_all_near(found[0], found[1], 0, "factors");
}

TEST(DecoderForms, LowRankRefusesWhatNoLayerHas) {
  DecoderModule decoder(awkward_config(), 1);
  LowRankOptions options;
  EXPECT_THROW(add_low_rank(decoder, options, 0), std::invalid_argument);  // rank 0
  options.rank = 2;
  options.targets = {"lm_head"};
  EXPECT_THROW(add_low_rank(decoder, options, 0), std::invalid_argument);
  options.targets = {};
  EXPECT_THROW(add_low_rank(decoder, options, 0), std::invalid_argument);
}

TEST(RowChunks, BordersCoverAllRowsOnceAndKeepSequencesWhole) {
  using Borders = std::vector<std::int64_t>;
  EXPECT_EQ(chunk_borders(10, 4), (Borders{0, 4, 8, 10}));
  EXPECT_EQ(chunk_borders(8, 4), (Borders{0, 4, 8}));
  EXPECT_EQ(chunk_borders(3, 4), (Borders{0, 3}));
  const Tensor sequences = torch::tensor({5, 5, 6, 6, 6, 7, 8, 8, 8, 8, 8, 9}, torch::kInt64);
  EXPECT_EQ(chunk_borders(12, 4, sequences), (Borders{0, 2, 6, 11, 12}));
  EXPECT_EQ(chunk_borders(12, 100, sequences), (Borders{0, 12}));
  EXPECT_EQ(chunk_borders(12, 1, sequences), (Borders{0, 2, 5, 6, 11, 12}));
  // Two readers of five sequences: either may be the one that has too many rows; some have none of the first's.
  const SequenceBegins first{0, 2, 2, 5, 6, 6}, second{0, 1, 4, 5, 6, 9};
  EXPECT_EQ(chunk_borders({{first, 4}, {second, 100}}), (Borders{0, 2, 6}));
  EXPECT_EQ(chunk_borders({{first, 100}, {second, 5}}), (Borders{0, 5, 6}));
  EXPECT_EQ(chunk_borders({{first, 1}, {second, 1}}), (Borders{0, 2, 5, 6}));
}

TEST(RowChunks, ChunksSumToTheWholeLossAndItsGradients) {
  const std::vector<Sequence> sequences = some_sequences();
  const BatchRows rows = batch_rows(sequences, all_four);
  DecoderModule decoder(config_of("llama3"), 1);  // its head is a matrix of its own
  const std::int64_t all = rows.index.size(0);
  const auto run = [&](const std::vector<std::int64_t>& borders) {
    const Tensor hidden = states_at(decoder.hidden(rows.ids), rows);
    const Tensor loss =
        summed_by_chunks({hidden}, {decoder.weight("lm_head.weight")}, borders,
                         [&](std::int64_t begin, std::int64_t count, const std::vector<Tensor>& part) {
                           EXPECT_EQ(part[0].size(0), count);
                           return torch::cross_entropy_loss(
                               decoder.logits(part[0]), rows.labels.narrow(0, begin, count), {}, at::Reduction::Sum);
                         });
    auto found = gradients_of(loss / 3, decoder.parameters());
    found.push_back(loss.detach() / static_cast<double>(all));
    return found;
  };
  const auto whole = run({0, all});
  for (const std::int64_t at_once : {1, 5}) expect_all_near(whole, run(chunk_borders(all, at_once)), 1e-5, "chunks");
}

}  // namespace retort::train
