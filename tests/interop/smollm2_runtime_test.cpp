// SmolLM2-135M-Instruct and Gemma 3 270M, imported from GGUF, on the runtime: tokens, probabilities and continuations
// are llama.cpp's.
#include "runtime/decoder/decoder.h"
#include "smollm2_golden.h"
#include "text/tokenizer.h"

namespace retort::interop {
namespace {

runtime::DecoderOptions exact() {
  runtime::DecoderOptions options;
  options.context = 512;
  options.threads = 2;
  options.kv_cache = runtime::KvType::f32;  // as llama.cpp ran; the default for a model of this size is bf16
  return options;
}

TEST_F(Smollm2, TokensAreLlamaCpps) {
  const text::Tokenizer tokenizer = text::Tokenizer::load(folder_);
  for (const GoldenCase& golden : golden_cases())
    EXPECT_EQ(tokenizer.encode(golden.prompt, text::Tokenizer::Special::parse), golden.ids) << golden.prompt;
}

/// 20 prompts: the five likeliest tokens' probabilities, then 64 greedy tokens none of which is in `ignored`.
void expect_llama_cpps_numbers(const std::filesystem::path& folder, const std::vector<GoldenCase>& cases,
                               const std::vector<std::size_t>& ignored, double tolerance) {
  const model::ModelFolder model(folder);
  runtime::Decoder decoder(model, exact());
  const auto vocabulary = static_cast<std::size_t>(decoder.config().vocabulary_size);
  double greatest = 0;
  int tokens = 0, ties = 0;
  ASSERT_EQ(cases.size(), 20U);
  for (const GoldenCase& golden : cases) {
    std::vector<std::int32_t> ids = golden.ids;
    ids.insert(ids.end(), golden.greedy.begin(), golden.greedy.end());
    decoder.reset();
    std::vector<float> logits = decoder.forward_all(ids);
    const auto row = [&](std::size_t position) { return std::span(logits).subspan(position * vocabulary, vocabulary); };
    const double apart = difference(row(golden.ids.size() - 1), golden.top);
    EXPECT_LT(apart, tolerance) << golden.prompt;
    greatest = std::max(greatest, apart);
    for (std::size_t i = 0; i < golden.greedy.size(); ++i) {
      const std::span<float> scores = row(golden.ids.size() - 1 + i);
      for (const std::size_t end : ignored) scores[end] = -1e30F;  // llama.cpp was told to ignore them
      const auto best = std::max_element(scores.begin(), scores.end());
      const float lost = *best - scores[static_cast<std::size_t>(golden.greedy[i])];
      EXPECT_LE(lost, tie) << golden.prompt << ": token " << i << ", expected " << golden.greedy[i] << ", found "
                           << best - scores.begin();
      ties += lost > 0;
      ++tokens;
    }
  }
  EXPECT_EQ(tokens, 20 * 64);
  EXPECT_LE(ties, 2) << "nearly equal logits are rare";
  std::cout << "greatest difference of a log probability " << greatest << "; " << tokens << " greedy tokens, " << ties
            << " at ties\n";
}

TEST_F(Smollm2, ProbabilitiesAndGreedyTokensAreLlamaCpps) {
  expect_llama_cpps_numbers(folder_, golden_cases(), {0, 2}, log_probability_tolerance);  // <|endoftext|>, <|im_end|>
}

TEST_F(Gemma3, TokensAreLlamaCpps) {
  const text::Tokenizer tokenizer = text::Tokenizer::load(folder_);
  ASSERT_TRUE(tokenizer.begin_token().has_value());
  for (const GoldenCase& golden : golden_cases("gemma3")) {
    std::vector<std::int32_t> ids = tokenizer.encode(golden.prompt, text::Tokenizer::Special::parse);
    ids.insert(ids.begin(), *tokenizer.begin_token());
    EXPECT_EQ(ids, golden.ids) << golden.prompt;
  }
}

TEST_F(Gemma3, ProbabilitiesAndGreedyTokensAreLlamaCpps) {
  expect_llama_cpps_numbers(folder_, golden_cases("gemma3"), {1, 106}, gemma_tolerance);  // <eos>, <end_of_turn>
}

}  // namespace
}  // namespace retort::interop
