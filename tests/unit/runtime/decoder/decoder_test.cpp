// The decoder against the reference model: f32, int8, chunked prefill, one-row decode, cache reset.
#include "runtime/decoder/decoder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "host/base/files.h"
#include "host/base/log.h"
#include "random_model.h"
#include "runtime/decoder/reference.h"

namespace retort::runtime {
namespace {

using testing::Storage;
using testing::TemporaryFolder;

std::vector<TokenId> random_tokens(std::int64_t count, std::int64_t vocabulary, std::uint32_t sequence = 0) {
  std::mt19937 random(17 + sequence);
  std::uniform_int_distribution<TokenId> token(0, static_cast<TokenId>(vocabulary - 1));
  std::vector<TokenId> tokens(static_cast<std::size_t>(count));
  for (TokenId& value : tokens) value = token(random);
  return tokens;
}

float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  float difference = a.size() == b.size() ? 0.0f : INFINITY;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    difference = std::max(difference, std::fabs(a[i] - b[i]));
  return difference;
}

std::vector<float> difference_of(std::vector<float> a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

float root_mean_square(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += double{value} * double{value};
  return static_cast<float>(std::sqrt(sum / static_cast<double>(values.size())));
}

struct Shape {
  const char* name;
  bool tied;
  std::int64_t hidden, intermediate, heads, kv_heads, head_dim, vocabulary;
  const char* family = "";  ///< of awkward_config, whose sizes count where it is given
};

/// Keeps the tests' names the same from run to run: googletest prints the bytes of what it does not know.
void PrintTo(const Shape& shape, std::ostream* out) {
  *out << shape.name;
}

class DecoderShapes : public ::testing::TestWithParam<Shape> {
 protected:
  void write(Storage storage) {
    const Shape& shape = GetParam();
    const std::string family = shape.family;
    config_ = family.empty() ? testing::awkward_config() : testing::awkward_config(family);
    config_.tie_word_embeddings = shape.tied;
    config_.hidden_size = shape.hidden;
    config_.intermediate_size = shape.intermediate;
    config_.heads = shape.heads;
    config_.kv_heads = shape.kv_heads;
    config_.head_dim = shape.head_dim;
    config_.vocabulary_size = shape.vocabulary;
    testing::write_model(folder_.path(), config_, testing::random_weights(config_, 3), storage);
  }

  TemporaryFolder folder_;
  model::ModelConfig config_;
};

TEST_P(DecoderShapes, F32LogitsEqualReference) {
  write(Storage::f32);
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  const std::vector<TokenId> tokens = random_tokens(33, config_.vocabulary_size);
  const std::vector<float> expected = ReferenceModel(model, ReferenceModel::Activations::f32).forward_all(tokens);
  // Logits are of order 1; f32 sums of a few hundred terms through three layers.
  EXPECT_LT(largest_difference(decoder.forward_all(tokens), expected), 5e-5f);
}

TEST_P(DecoderShapes, Int8LogitsEqualReferenceWithInt8Activations) {
  write(Storage::int8);
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  ReferenceModel quantised(model, ReferenceModel::Activations::as_stored),
      plain(model, ReferenceModel::Activations::f32);
  // The same arithmetic, so logits agree to f32's last digits, until somewhere an activation that lies next to a
  // rounding border takes the neighbouring code because a sum was made in another order. That moves the keys that later
  // rows see, which moves more codes: from then on both models are as far from each other as quantisation moves either.
  constexpr std::int64_t kSequences = 8, kRows = 33;
  std::int64_t equal_rows = 0;
  for (std::int64_t sequence = 0; sequence < kSequences; ++sequence) {
    const std::vector<TokenId> tokens =
        random_tokens(kRows, config_.vocabulary_size, static_cast<std::uint32_t>(sequence));
    const std::vector<float> expected = quantised.forward_all(tokens);
    decoder.reset();
    const std::vector<float> error = difference_of(decoder.forward_all(tokens), expected);
    const std::vector<float> noise = difference_of(plain.forward_all(tokens), expected);
    EXPECT_LT(root_mean_square(error), std::sqrt(2.0f) * root_mean_square(noise)) << "sequence " << sequence;
    const float most = 1e-5f * root_mean_square(expected);
    const auto first = std::find_if(error.begin(), error.end(), [most](float e) { return std::abs(e) > most; });
    equal_rows += (first - error.begin()) / config_.vocabulary_size;
  }
  EXPECT_GE(equal_rows, kSequences * kRows / 3);
}

TEST_P(DecoderShapes, Int8LogitsAreNearTheDequantisedModel) {
  write(Storage::int8);
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  const std::vector<TokenId> tokens = random_tokens(33, config_.vocabulary_size);
  const std::vector<float> expected = ReferenceModel(model, ReferenceModel::Activations::f32).forward_all(tokens);
  std::vector<float> difference = decoder.forward_all(tokens);
  for (std::size_t i = 0; i < difference.size(); ++i) difference[i] -= expected[i];
  // Quantising activations to 8 bits costs about 1 % of the logits' spread per layer on random weights.
  EXPECT_LT(root_mean_square(difference), 0.05f * root_mean_square(expected));
  EXPECT_GT(root_mean_square(difference), 0.0f);
}

TEST_P(DecoderShapes, IncrementalDecodeEqualsPrefill) {
  for (const Storage storage : {Storage::f32, Storage::int8}) {
    write(storage);
    const model::ModelFolder model(folder_.path());
    Decoder decoder(model, {});
    const std::vector<TokenId> tokens = random_tokens(40, config_.vocabulary_size);
    const std::vector<float> whole = decoder.forward_all(tokens);
    decoder.reset();
    std::vector<float> pieces = decoder.forward_all(std::span(tokens).first(5));
    for (std::size_t i = 5; i < tokens.size(); ++i) {
      const std::span<const float> logits = decoder.forward(std::span(tokens).subspan(i, 1));
      pieces.insert(pieces.end(), logits.begin(), logits.end());
    }
    EXPECT_EQ(decoder.position(), 40);
    // f32: sums in another order. int8: that, and codes next to a rounding border.
    EXPECT_LT(largest_difference(whole, pieces), storage == Storage::f32 ? 5e-5f : 0.05f * root_mean_square(whole));
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, DecoderShapes,
                         ::testing::Values(Shape{"pruned", true, 70, 97, 6, 2, 10, 131},
                                           Shape{"untied", false, 70, 97, 6, 2, 10, 131},
                                           Shape{"even", false, 64, 128, 4, 4, 16, 256},
                                           Shape{"odd_heads", true, 33, 61, 3, 1, 14, 77},
                                           Shape{"qwen2", true, 70, 97, 6, 2, 10, 131, "qwen2"},
                                           Shape{"qwen3", true, 70, 97, 6, 2, 18, 131, "qwen3"},
                                           Shape{"gemma3", true, 70, 97, 6, 2, 18, 131, "gemma3"},
                                           Shape{"llama3", false, 70, 97, 6, 2, 10, 131, "llama3"}),
                         [](const ::testing::TestParamInfo<Shape>& shape) { return shape.param.name; });

class AwkwardDecoder : public ::testing::Test {
 protected:
  AwkwardDecoder() { testing::write_model(folder_.path(), config_, testing::random_weights(config_, 3), Storage::f32); }
  TemporaryFolder folder_;
  model::ModelConfig config_ = testing::awkward_config();
};

TEST_F(AwkwardDecoder, PrefillLongerThanOneChunkEqualsReference) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  const std::vector<TokenId> tokens = random_tokens(530, config_.vocabulary_size);  // 512 + 18
  const std::vector<float> found = decoder.forward_all(tokens);
  decoder.reset();
  const std::span<const float> last = decoder.forward(tokens);
  const std::vector<float> expected = ReferenceModel(model, ReferenceModel::Activations::f32).forward_all(tokens);
  EXPECT_LT(largest_difference(found, expected), 5e-5f);
  EXPECT_LT(largest_difference({last.begin(), last.end()}, {expected.end() - config_.vocabulary_size, expected.end()}),
            5e-5f);
}

TEST_F(AwkwardDecoder, ResetForgetsEverything) {
  const model::ModelFolder model(folder_.path());
  Decoder decoder(model, {});
  const std::vector<TokenId> tokens = random_tokens(40, config_.vocabulary_size);
  const std::vector<TokenId> prompt{7, 8, 9};
  const std::vector<float> fresh = decoder.forward_all(prompt);
  decoder.forward(tokens);
  decoder.reset();
  EXPECT_EQ(decoder.position(), 0);
  EXPECT_EQ(decoder.forward_all(prompt), fresh);  // bit for bit
}

TEST_F(AwkwardDecoder, TwoThreadsGiveTheSameBits) {
  const model::ModelFolder model(folder_.path());
  const std::vector<TokenId> tokens = random_tokens(40, config_.vocabulary_size);
  Decoder one(model, {.threads = 1}), two(model, {.threads = 2});
  EXPECT_EQ(one.forward_all(tokens), two.forward_all(tokens));
}

TEST_F(AwkwardDecoder, ImplementationsNameEveryKindOfLayerAndNoReference) {
  const model::ModelFolder model(folder_.path());
  const std::vector<std::string> lines = Decoder(model, {}).implementations();
  ASSERT_EQ(lines.size(), 6u);
  EXPECT_EQ(lines[0].find("oneDNN 3."), 0u) << lines[0];
  const std::vector<std::string> beginnings{
      "q_proj+k_proj+v_proj f32 [100,70]: ", "o_proj f32 [70,60]: ", "gate_proj+up_proj f32 [194,70]: ",
      "down_proj f32 [70,97]: ", "embed_tokens f32 [131,70]: "};
  for (std::size_t i = 0; i < beginnings.size(); ++i) {
    EXPECT_EQ(lines[i + 1].find(beginnings[i]), 0u) << lines[i + 1];
    EXPECT_EQ(lines[i + 1].find("ref"), std::string::npos) << lines[i + 1];
  }
}

TEST_F(AwkwardDecoder, LogsImplementationsWhenLoaded) {
  const std::filesystem::path file = folder_.path() / "log.txt";
  const model::ModelFolder model(folder_.path());
  std::vector<std::string> lines;
  {
    const host::LogFile log(file);
    lines = Decoder(model, {}).implementations();
  }
  const std::string text = host::read_file(file);
  for (const std::string& line : lines) EXPECT_NE(text.find(line), std::string::npos) << line << " in\n" << text;
}

TEST_F(AwkwardDecoder, AMixedModelRunsItsFloatLayersInFloat) {
  const TemporaryFolder folder;
  testing::write_model(folder.path(), config_, testing::random_weights(config_, 3), Storage::int8,
                       {"model.layers.1.self_attn.k_proj", "model.layers.2.mlp.down_proj"});
  const model::ModelFolder model(folder.path());
  Decoder decoder(model, {});
  const std::vector<TokenId> tokens = random_tokens(20, config_.vocabulary_size);
  std::vector<float> difference = decoder.forward_all(tokens);
  const std::vector<float> expected = ReferenceModel(model, ReferenceModel::Activations::f32).forward_all(tokens);
  for (std::size_t i = 0; i < difference.size(); ++i) difference[i] -= expected[i];
  EXPECT_LT(root_mean_square(difference), 0.05f * root_mean_square(expected));
  EXPECT_EQ(decoder.implementations().size(), 8u);  // two kinds more than a uniform model
}

/// 45 ends a prompt of awkward_config("prefix").
std::vector<TokenId> prompt_and_answer(std::size_t prompt, std::size_t all) {
  std::vector<TokenId> tokens = random_tokens(static_cast<std::int64_t>(all), 131);
  for (TokenId& token : tokens)
    if (token == 45) token = 46;
  tokens[prompt - 1] = 45;
  tokens.back() = 45;  // a second one ends nothing
  return tokens;
}

TEST(PromptsInBothDirections, LogitsEqualTheReferences) {
  const model::ModelConfig config = testing::awkward_config("prefix");
  for (const Storage storage : {Storage::f32, Storage::int8})
    for (const auto& [prompt, all] : {std::pair{1u, 9u}, std::pair{37u, 50u}, std::pair{50u, 50u}}) {
      const TemporaryFolder folder;
      testing::write_model(folder.path(), config, testing::random_weights(config, 3), storage);
      const model::ModelFolder model(folder.path());
      const std::vector<TokenId> tokens = prompt_and_answer(prompt, all);
      const std::vector<float> expected =
          ReferenceModel(model, ReferenceModel::Activations::as_stored).forward_all(tokens);
      Decoder decoder(model, {});
      const std::vector<float> found = decoder.forward_all(tokens);
      const float scale = root_mean_square(expected);
      EXPECT_LT(largest_difference(found, expected), (storage == Storage::f32 ? 1e-4f : 0.05f) * scale) << prompt;
      // Token by token behind the prompt, as an answer is made.
      const std::span<const TokenId> whole(tokens);
      std::span<const float> logits = decoder.prompt(whole.first(prompt));
      for (std::size_t t = prompt; t < all; ++t) logits = decoder.step(std::vector<SequenceStep>{{0, tokens[t]}});
      const std::vector<float> last(found.end() - config.vocabulary_size, found.end());
      EXPECT_LT(largest_difference({logits.begin(), logits.end()}, last), 0.05f * scale) << prompt;
    }
}

TEST(PromptsInBothDirections, TheEndOfAPromptChangesItsBeginning) {
  const TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config("prefix");
  testing::write_model(folder.path(), config, testing::random_weights(config, 3), Storage::f32);
  Decoder decoder(model::ModelFolder(folder.path()), {.prefix_cache = 512});
  std::vector<TokenId> tokens = prompt_and_answer(40, 60);
  const auto first_logits = [&] {
    decoder.reset();
    const std::vector<float> all = decoder.forward_all(tokens);
    return std::vector<float>(all.begin(), all.begin() + config.vocabulary_size);
  };
  const std::vector<float> before = first_logits();
  tokens[50] = tokens[50] == 1 ? 2 : 1;  // behind the prompt
  EXPECT_EQ(first_logits(), before);
  tokens[30] = tokens[30] == 1 ? 2 : 1;
  EXPECT_GT(largest_difference(first_logits(), before), 1e-3f);
  // So nothing of it may come from another prompt.
  std::int64_t reused = -1;
  for (int i = 0; i < 2; ++i) decoder.prompt(tokens, 0, &reused);
  EXPECT_EQ(reused, 0);
}

TEST(PromptsInBothDirections, MustComeWhole) {
  const TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config("prefix");
  testing::write_model(folder.path(), config, testing::random_weights(config, 3), Storage::f32);
  Decoder decoder(model::ModelFolder(folder.path()), {});
  const auto refusal = [&](const std::vector<TokenId>& tokens) -> std::string {
    try {
      decoder.prompt(tokens);
    } catch (const std::invalid_argument& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_NE(refusal({1, 2, 3}).find("found no end"), std::string::npos) << refusal({1, 2, 3});
  EXPECT_NE(refusal(prompt_and_answer(600, 610)).find("found 600 tokens to it"), std::string::npos);
  EXPECT_EQ(refusal(prompt_and_answer(512, 520)), "");
}

}  // namespace
}  // namespace retort::runtime
