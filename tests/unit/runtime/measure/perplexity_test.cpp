// Perplexity against plain loops over the reference's logits, in double.
#include "runtime/measure/perplexity.h"

#include <gtest/gtest.h>

#include <cmath>

#include "random_model.h"
#include "runtime/decoder/reference.h"

namespace retort::runtime {
namespace {

double reference_nats(const model::ModelFolder& model, std::span<const TokenId> tokens, std::size_t window) {
  const ReferenceModel reference(model, ReferenceModel::Activations::f32);
  const auto vocabulary = static_cast<std::size_t>(model.config().vocabulary_size);
  double nats = 0;
  std::size_t count = 0;
  for (std::size_t first = 0; first + window <= tokens.size(); first += window) {
    const std::vector<float> logits = reference.forward_all(tokens.subspan(first, window));
    for (std::size_t i = 0; i + 1 < window; ++i, ++count) {
      double sum = 0;
      for (std::size_t v = 0; v < vocabulary; ++v) sum += std::exp(double{logits[i * vocabulary + v]});
      nats += std::log(sum) - double{logits[i * vocabulary + static_cast<std::size_t>(tokens[first + i + 1])]};
    }
  }
  return nats / static_cast<double>(count);
}

TEST(Perplexity, IsThatOfTheReference) {
  const testing::TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config();
  testing::write_model(folder.path(), config, testing::random_weights(config, 3), testing::Storage::f32);
  const model::ModelFolder model(folder.path());
  std::vector<TokenId> tokens;
  for (int i = 0; i < 470; ++i) tokens.push_back((i * i + 7 * i) % static_cast<int>(config.vocabulary_size));
  Decoder decoder(model, {.context = 200, .kv_cache = KvType::f32});
  // Windows of one part of logits, of several, and of one token more than parts; the last ones leave a rest.
  for (const std::int64_t window : {2, 50, 128, 129, 130, 200}) {
    const Perplexity found = perplexity(decoder, tokens, {window, 0});
    EXPECT_EQ(found.windows, 470 / window);
    EXPECT_EQ(found.predicted, found.windows * (window - 1));
    EXPECT_NEAR(found.nats, reference_nats(model, tokens, static_cast<std::size_t>(window)), 1e-5) << window;
    EXPECT_DOUBLE_EQ(found.value(), std::exp(found.nats));
  }
  const Perplexity first = perplexity(decoder, tokens, {100, 2});
  EXPECT_EQ(first.windows, 2);
  EXPECT_NEAR(first.nats, reference_nats(model, std::span(tokens).first(200), 100), 1e-5);
}

TEST(Perplexity, RefusesWhatItCannotMeasureAndEndsWhenTold) {
  const testing::TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config();
  testing::write_model(folder.path(), config, testing::random_weights(config, 3), testing::Storage::f32);
  const model::ModelFolder model(folder.path());
  Decoder decoder(model, {.context = 64});
  const std::vector<TokenId> tokens(100, 5);
  EXPECT_THROW(perplexity(decoder, tokens, {65, 0}), std::invalid_argument);
  EXPECT_THROW(perplexity(decoder, tokens, {1, 0}), std::invalid_argument);
  EXPECT_THROW(perplexity(decoder, std::span(tokens).first(31), {32, 0}), std::invalid_argument);
  int asked = 0;
  const Perplexity found = perplexity(decoder, tokens, {32, 0}, [&] { return ++asked < 3; });
  EXPECT_EQ(found.windows, 2);
  EXPECT_EQ(perplexity(decoder, tokens, {32, 0}, [] { return false; }).predicted, 0);
}

}  // namespace
}  // namespace retort::runtime
