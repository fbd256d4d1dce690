// The LibTorch decoder: the same logits as the runtime's plain-loop reference, and the same with a KV cache as without.
#include "train/decoder_module.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <set>

#include "runtime/decoder/decoder.h"
#include "runtime/random_model.h"
#include "train/model_weights.h"
#include "train/reference_sampling.h"

namespace retort::train {
namespace {

using runtime::testing::awkward_config;
using runtime::testing::random_weights;
using runtime::testing::Storage;
using runtime::testing::TemporaryFolder;
using runtime::testing::write_model;

const std::vector<text::TokenId> tokens = {5, 17, 130, 0, 64, 64, 3, 99, 12};

torch::Tensor logits_of(DecoderModule& decoder, const std::vector<text::TokenId>& ids) {
  torch::NoGradGuard no_grad;
  return decoder.logits(decoder.hidden(pad({ids})).squeeze(0));
}

double difference(const torch::Tensor& a, const std::vector<float>& b) {
  const torch::Tensor other = torch::from_blob(const_cast<float*>(b.data()), a.sizes());
  return (a - other).abs().max().item<double>();
}

}  // namespace

TEST(DecoderModule, AgreesWithTheRuntimeOnFloatWeights) {
  const TemporaryFolder folder;
  write_model(folder.path(), awkward_config(), random_weights(awkward_config(), 1), Storage::f32);
  const model::ModelFolder opened(folder.path());
  const std::unique_ptr<DecoderModule> decoder = load_decoder(opened);
  runtime::Decoder served(opened, {});
  EXPECT_LT(difference(logits_of(*decoder, tokens), served.forward_all(tokens)), 1e-4);  // logits of order 1, f32
}

TEST(DecoderModule, EveryFamilyAgreesWithTheRuntime) {
  for (const char* family : {"qwen2", "qwen3", "llama3", "gemma3", "prefix"}) {
    const TemporaryFolder folder;
    write_model(folder.path(), awkward_config(family), random_weights(awkward_config(family), 1), Storage::f32);
    const model::ModelFolder opened(folder.path());
    const std::unique_ptr<DecoderModule> decoder = load_decoder(opened);
    runtime::Decoder served(opened, {});
    std::vector<text::TokenId> longer;  // than the window of the layer that slides
    for (int i = 0; i < 40; ++i) longer.push_back((i * 37 + 11) % 131);
    EXPECT_LT(difference(logits_of(*decoder, longer), served.forward_all(longer)), 1e-4) << family;
    const auto sampled = ref_sample(*decoder, {longer}, {.max_new_tokens = 8, .end_token = -1});
    for (const text::TokenId token : sampled[0]) {
      EXPECT_EQ(logits_of(*decoder, longer)[-1].argmax().item<std::int64_t>(), token) << family;
      longer.push_back(token);
    }
  }
}

TEST(DecoderModule, LoadsInt8WeightsDequantised) {
  const TemporaryFolder exact, coded;
  const auto weights = random_weights(awkward_config(), 2);
  write_model(exact.path(), awkward_config(), weights, Storage::f32);
  write_model(coded.path(), awkward_config(), weights, Storage::int8);
  const std::unique_ptr<DecoderModule> full = load_decoder(model::ModelFolder(exact.path()));
  const std::unique_ptr<DecoderModule> codes = load_decoder(model::ModelFolder(coded.path()));
  torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < full->weights().size(); ++i) {
    const torch::Tensor& weight = full->weights()[i].second;
    if (weight.dim() != 2) continue;
    // Rounding moves a weight by at most half a step of its row.
    const torch::Tensor step = weight.abs().amax(1, true) / 127.0;
    const torch::Tensor moved = (weight - codes->weights()[i].second).abs();
    EXPECT_TRUE((moved <= 0.5001 * step).all().item<bool>()) << full->weights()[i].first;
  }
}

TEST(DecoderModule, CacheGivesTheSameAnswersAsRecomputing) {
  DecoderModule decoder(awkward_config(), 3);
  const std::vector<std::vector<text::TokenId>> prompts = {{1, 2, 3, 4, 5}, {9}, {7, 8, 7}};
  const auto sampled = ref_sample(decoder, prompts, {.max_new_tokens = 8, .end_token = -1});
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    std::vector<text::TokenId> ids = prompts[i];
    ASSERT_EQ(sampled[i].size(), 8u);
    for (const text::TokenId token : sampled[i]) {
      EXPECT_EQ(logits_of(decoder, ids)[-1].argmax().item<std::int64_t>(), token) << i;
      ids.push_back(token);
    }
  }
}

TEST(DecoderModule, SamplingDependsOnItsSeedAlone) {
  DecoderModule decoder(awkward_config(), 4);
  const std::vector<std::vector<text::TokenId>> prompts(6, {1, 2, 3});
  const ReferenceSampling options{.temperature = 1.0, .max_new_tokens = 6, .seed = 5};
  const auto once = ref_sample(decoder, prompts, options);
  EXPECT_EQ(once, ref_sample(decoder, prompts, options));
  EXPECT_NE(once[0], once[1]) << "each row draws from its own stream";
  ReferenceSampling small = options;
  small.batch_size = 2;
  EXPECT_EQ(once, ref_sample(decoder, prompts, small)) << "the batch size must not change the draws";
}

TEST(DecoderModule, PaddingChangesNothing) {
  DecoderModule decoder(awkward_config(), 6);
  torch::NoGradGuard no_grad;
  const torch::Tensor alone = decoder.hidden(pad({{4, 5, 6}}))[0];
  const torch::Tensor padded = decoder.hidden(pad({{4, 5, 6}, {1, 2, 3, 4, 5, 6, 7}}))[0].narrow(0, 0, 3);
  EXPECT_LT((alone - padded).abs().max().item<double>(), 1e-5);
}

TEST(DecoderModule, DropoutDependsOnItsSeedAlone) {
  DecoderModule decoder(awkward_config(), 3);
  const torch::NoGradGuard no_grad;
  const torch::Tensor ids = pad({{4, 5, 6, 7}, {1, 2, 3}});
  const torch::Tensor plain = decoder.hidden(ids);
  EXPECT_TRUE(torch::equal(decoder.hidden(ids, {0.0, 9}), plain));
  const torch::Tensor dropped = decoder.hidden(ids, {0.3, 9});
  torch::manual_seed(77);  // draws elsewhere change nothing
  EXPECT_TRUE(torch::equal(decoder.hidden(ids, {0.3, 9}), dropped));
  EXPECT_FALSE(torch::equal(dropped, plain));
  EXPECT_FALSE(torch::equal(decoder.hidden(ids, {0.3, 10}), dropped));
  EXPECT_TRUE(torch::equal(decoder.hidden(ids), plain));
}

TEST(DecoderModule, EveryPartOfEveryStepDropsSomethingElse) {
  std::set<std::uint64_t> seeds;
  for (const std::uint64_t seed : {1, 2})
    for (std::int64_t step = 0; step < 50; ++step)
      for (std::size_t part = 0; part < 4; ++part) seeds.insert(dropout_of(0.1, seed, step, part).seed);
  EXPECT_EQ(seeds.size(), 2U * 50U * 4U);
  EXPECT_EQ(dropout_of(0.1, 1, 5, 2).seed, dropout_of(0.1, 1, 5, 2).seed);
}

}  // namespace retort::train
