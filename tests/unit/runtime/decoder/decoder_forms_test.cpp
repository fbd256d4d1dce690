// Models in bf16, int8 and int4 as `retort bench` makes them up, against the reference on the dequantised weights:
// logits and perplexity.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "random_model.h"
#include "runtime/decoder/decoder.h"
#include "runtime/decoder/reference.h"
#include "runtime/kernels/onednn_engine.h"
#include "runtime/measure/synthetic_model.h"

namespace retort::runtime {
namespace {

using testing::TemporaryFolder;

std::vector<TokenId> tokens_of(std::int64_t count, std::int64_t vocabulary) {
  std::mt19937 random(11);
  std::uniform_int_distribution<TokenId> token(0, static_cast<TokenId>(vocabulary - 1));
  std::vector<TokenId> tokens(static_cast<std::size_t>(count));
  for (TokenId& value : tokens) value = token(random);
  return tokens;
}

float mean_magnitude(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * double{value};
  return static_cast<float>(std::sqrt(sum / static_cast<double>(values.size())));
}

float relative_difference(const std::vector<float>& found, const std::vector<float>& expected) {
  std::vector<float> difference = found;
  for (std::size_t i = 0; i < difference.size(); ++i) difference[i] -= expected.at(i);
  return mean_magnitude(difference) / mean_magnitude(expected);
}

/// How much greater, as a share, the perplexity of `found` is than that of `expected` on text that is distributed as
/// `expected` says: e to the power of the mean divergence of their distributions, less 1.
double perplexity_increase(const std::vector<float>& found, const std::vector<float>& expected,
                           std::int64_t vocabulary) {
  const auto rows = static_cast<std::int64_t>(expected.size()) / vocabulary;
  double divergence = 0;
  for (std::int64_t row = 0; row < rows; ++row) {
    const float* p = expected.data() + row * vocabulary;
    const float* q = found.data() + row * vocabulary;
    double p_sum = 0, q_sum = 0, difference = 0;
    for (std::int64_t v = 0; v < vocabulary; ++v) {
      p_sum += std::exp(double{p[v]});
      q_sum += std::exp(double{q[v]});
    }
    for (std::int64_t v = 0; v < vocabulary; ++v) difference += std::exp(double{p[v]}) / p_sum * (p[v] - q[v]);
    divergence += difference + std::log(q_sum / p_sum);
  }
  return std::exp(divergence / static_cast<double>(rows)) - 1.0;
}

struct Form {
  SyntheticWeights weights;
  float logits;       ///< greatest difference, as a share of the logits' spread, to the reference
  double perplexity;  ///< greatest increase over the dequantised model's
  bool same_bits;     ///< for any number of rows at a time
};

void expect_close(const Form& form) {
  for (const bool tied : {true, false}) {
    const TemporaryFolder folder;
    const model::ModelConfig config = testing::grouped_config("qwen2", tied);
    write_synthetic_model(folder.path(), config, form.weights, 5);
    const model::ModelFolder model(folder.path());
    Decoder decoder(model, {});
    const std::vector<TokenId> tokens = tokens_of(97, config.vocabulary_size);
    const std::vector<float> found = decoder.forward_all(tokens);
    const std::vector<float> alike = ReferenceModel(model, ReferenceModel::Activations::as_stored).forward_all(tokens);
    const std::vector<float> plain = ReferenceModel(model, ReferenceModel::Activations::f32).forward_all(tokens);
    // Models that round alike differ where a value lies next to a rounding border: see decoder_test.cpp.
    EXPECT_LT(relative_difference(found, alike), form.logits);
    EXPECT_LT(relative_difference(found, plain), form.logits);
    EXPECT_LT(perplexity_increase(found, plain, config.vocabulary_size), form.perplexity);

    // One row at a time takes other kernels.
    decoder.reset();
    std::vector<float> pieces = decoder.forward_all(std::span(tokens).first(33));
    for (std::size_t i = 33; i < tokens.size(); ++i) {
      const std::span<const float> logits = decoder.forward(std::span(tokens).subspan(i, 1));
      pieces.insert(pieces.end(), logits.begin(), logits.end());
    }
    if (form.same_bits)
      EXPECT_EQ(pieces, found);
    else
      EXPECT_LT(relative_difference(pieces, found), form.logits);
  }
}

TEST(DecoderForms, Int4LogitsAndPerplexityEqualTheReference) {
  // With VNNI one kernel multiplies any number of rows.
  const bool vnni = multiplies_int8_exactly(dnnl::get_effective_cpu_isa());
  for (const SyntheticWeights weights : {SyntheticWeights::int4, SyntheticWeights::int4_pure})
    expect_close({weights, 5e-4f, 1e-5, vnni});
}

void expect_written_close(testing::Storage storage, bool tied, const std::string& implementation) {
  const TemporaryFolder folder;
  const model::ModelConfig config = testing::grouped_config("qwen2", tied);
  const testing::Weights weights = testing::random_weights(config, 5);
  testing::write_model(folder.path() / "codes", config, weights, storage);
  testing::write_model(folder.path() / "f32", config, weights, testing::Storage::f32);
  const model::ModelFolder model(folder.path() / "codes"), floats(folder.path() / "f32");
  Decoder decoder(model, {});
  std::string implementations;
  for (const std::string& line : decoder.implementations()) implementations += line + "\n";
  EXPECT_NE(implementations.find(implementation), std::string::npos) << implementations;
  const std::vector<TokenId> tokens = tokens_of(97, config.vocabulary_size);
  const std::vector<float> expected = ReferenceModel(model, ReferenceModel::Activations::f32).forward_all(tokens);
  EXPECT_LT(relative_difference(decoder.forward_all(tokens), expected), 5e-4f);
  // Were zero points or a layer's scheme left out, the model would be another.
  const std::vector<float> plain = ReferenceModel(floats, ReferenceModel::Activations::f32).forward_all(tokens);
  EXPECT_LT(relative_difference(expected, plain), 0.5f);
}

TEST(DecoderForms, AsymmetricInt4EqualsTheReference) {
  for (const bool tied : {true, false})
    expect_written_close(testing::Storage::int4_asymmetric, tied, "groups of 64 with zero points");
}

TEST(DecoderForms, MixedBitsByLayerEqualTheReference) {
  expect_written_close(testing::Storage::mixed, true, "with zero points");
  expect_written_close(testing::Storage::mixed, false, "v_proj int8 [");
}

TEST(DecoderForms, Int8WithFloatActivationsEqualsTheReference) {
  expect_close({SyntheticWeights::w8a16, 5e-4f, 1e-5, true});
}

TEST(DecoderForms, Int8WithInt8ActivationsEqualsTheReference) {
  expect_close({SyntheticWeights::int8, 0.04f, 5e-3, true});
}

TEST(DecoderForms, Bf16LogitsAndPerplexityEqualTheReference) {
  expect_close({SyntheticWeights::bf16, 0.01f, 1e-3, false});
}

}  // namespace
}  // namespace retort::runtime
