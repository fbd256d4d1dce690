// Shapes and names in GGUF's words: against the keys of real conversions, there and back, and what is refused.
#include "exchange/gguf_config.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numbers>

#include "exchange/gguf_names.h"
#include "exchange/head_order.h"
#include "exchange/rope_factors.h"
#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "model/gguf_lookup.h"
#include "model/gguf_writer.h"
#include "model/model_folder.h"
#include "random_model.h"

namespace retort::exchange {
namespace {

using model::ModelConfig;
using tests::contains;
using tests::error_of;

ModelConfig llama_3_8b() {
  ModelConfig config;
  config.vocabulary_size = 128256;
  config.hidden_size = 4096;
  config.intermediate_size = 14336;
  config.layers = 32;
  config.heads = 32;
  config.kv_heads = 8;
  config.head_dim = 128;
  config.max_positions = 8192;
  config.rope_theta = 500000;
  config.tie_word_embeddings = false;
  return config;
}

ModelConfig qwen_2_5_05b() {
  ModelConfig config;
  config.architecture = "Qwen2ForCausalLM";
  config.vocabulary_size = 151936;
  config.hidden_size = 896;
  config.intermediate_size = 4864;
  config.layers = 24;
  config.heads = 14;
  config.kv_heads = 2;
  config.head_dim = 64;
  config.max_positions = 32768;
  config.rope_theta = 1e6;
  config.rms_norm_epsilon = 1e-6;
  config.input_bias = true;
  return config;
}

/// A value as the expectation files print it (Go's %v).
std::string printed(const model::GgufValue& value) {
  if (const auto* number = std::get_if<float>(&value)) {
    std::ostringstream stream;
    stream << *number;  // "1e-05", "1e+06", "500000"
    return stream.str();
  }
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return model::describe(value);
}

/// The keys of our own that a real conversion has too, and how many of them have its value.
void expect_agreement(const std::string& file, const ModelConfig& config, int least) {
  const auto path = tests::shared_data("gguf-cases/convert/" + file);
  RETORT_NEEDS(path);
  const nlohmann::json expected = host::read_json(path);
  int shared = 0;
  for (const auto& [key, value] : gguf_from_config(config)) {
    if (!expected.contains(key)) continue;
    EXPECT_EQ(printed(value), expected.at(key).get<std::string>()) << key;
    ++shared;
  }
  EXPECT_GE(shared, least);
  for (const auto& [name, shape] : model::tensor_shapes(config))
    EXPECT_TRUE(expected.contains(gguf_tensor_name(config, name))) << name;
}

TEST(GgufConfig, KeysAndNamesOfLlama3AreThoseOfARealConversion) {
  expect_agreement("Meta-Llama-3-8B-Instruct.json", llama_3_8b(), 11);
}

TEST(GgufConfig, KeysAndNamesOfQwen25AreThoseOfARealConversion) {
  expect_agreement("Qwen2.5-0.5B-Instruct.json", qwen_2_5_05b(), 9);
}

TEST(GgufNames, EveryTensorHasOne) {
  const ModelConfig plain = runtime::testing::awkward_config(), gemma = runtime::testing::awkward_config("gemma3");
  EXPECT_EQ(gguf_tensor_name(plain, "model.layers.11.self_attn.k_norm.weight"), "blk.11.attn_k_norm.weight");
  EXPECT_EQ(gguf_tensor_name(plain, "model.layers.0.post_attention_layernorm.weight"), "blk.0.ffn_norm.weight");
  EXPECT_EQ(gguf_tensor_name(plain, "model.layers.0.self_attn.o_proj.bias"), "blk.0.attn_output.bias");
  EXPECT_EQ(gguf_tensor_name(plain, "lm_head.weight"), "output.weight");
  EXPECT_EQ(gguf_tensor_name(gemma, "model.layers.0.post_attention_layernorm.weight"),
            "blk.0.post_attention_norm.weight");
  EXPECT_EQ(gguf_tensor_name(gemma, "model.layers.0.pre_feedforward_layernorm.weight"), "blk.0.ffn_norm.weight");
  EXPECT_EQ(gguf_tensor_name(gemma, "model.layers.0.post_feedforward_layernorm.weight"), "blk.0.post_ffw_norm.weight");
  EXPECT_EQ(gguf_tensor_name(gemma, "model.layers.0.input_layernorm.weight"), "blk.0.attn_norm.weight");
  EXPECT_THROW(gguf_tensor_name(plain, "model.layers.0.mlp.experts.weight"), std::invalid_argument);
  EXPECT_THROW(gguf_tensor_name(plain, "model.layers"), std::invalid_argument);
}

TEST(HeadOrder, TheTwoOrdersUndoEachOther) {
  // A head of 6: dimensions 0 1 2 turn with 3 4 5, and stand beside them in the other order.
  for (const std::int64_t head : {0, 1}) {
    const std::vector<std::int64_t> expected = {0, 3, 1, 4, 2, 5};
    for (std::int64_t i = 0; i < 6; ++i)
      EXPECT_EQ(half_split_row(head * 6 + i, 6), head * 6 + expected[static_cast<std::size_t>(i)]);
  }
  for (std::int64_t row = 0; row < 60; ++row) EXPECT_EQ(interleaved_row(half_split_row(row, 10), 10), row);
}

/// The formula of Llama 3.1's reference code, in its own terms.
float published_factor(int pair, double factor, double low, double high, double original, double theta, int head_dim) {
  const double frequency = 1 / std::pow(theta, 2.0 * pair / head_dim);
  const double wavelength = 2 * std::numbers::pi / frequency;
  if (wavelength < original / high) return 1;
  if (wavelength > original / low) return static_cast<float>(factor);
  const double smooth = (original / wavelength - low) / (high - low);
  return static_cast<float>(1 / ((1 - smooth) / factor + smooth));
}

TEST(RopeFactors, AreLlama31s) {
  ModelConfig config = llama_3_8b();
  config.rope_scaling = {.type = model::RopeType::llama3, .factor = 8, .original_positions = 8192};
  const std::vector<float> factors = rope_factors(config);
  ASSERT_EQ(factors.size(), 64U);
  for (int pair = 0; pair < 64; ++pair)
    EXPECT_FLOAT_EQ(factors[static_cast<std::size_t>(pair)], published_factor(pair, 8, 1, 4, 8192, 500000, 128))
        << pair;
  EXPECT_TRUE(rope_factors(llama_3_8b()).empty());
}

TEST(RopeFactors, GiveTheScalingBack) {
  ModelConfig config = llama_3_8b();
  for (const double factor : {8.0, 32.0}) {
    config.rope_scaling = {.type = model::RopeType::llama3, .factor = factor, .original_positions = 8192};
    EXPECT_EQ(rope_scaling_of_factors(rope_factors(config), 500000, 128, 0, "f"), config.rope_scaling);
  }
  // Unusual parameters are found from the blend between the two ends.
  config.rope_scaling = {.type = model::RopeType::llama3,
                         .factor = 5,
                         .original_positions = 4096,
                         .low_frequency_factor = 2,
                         .high_frequency_factor = 9};
  EXPECT_EQ(rope_scaling_of_factors(rope_factors(config), 500000, 128, 4096, "f"), config.rope_scaling);
  const std::vector<float> nonsense(64, 3.0F);
  EXPECT_TRUE(contains(error_of([&] { rope_scaling_of_factors(nonsense, 500000, 128, 0, "f"); }),
                       "f: tensor 'rope_freqs.weight': expected 64 factors of a llama3 scaling"));
  EXPECT_THROW(rope_scaling_of_factors({}, 500000, 128, 0, "f"), std::invalid_argument);
  EXPECT_THROW(rope_scaling_of_factors({NAN, 1.0F}, 500000, 4, 0, "f"), std::invalid_argument);
}

/// A file of zeros with these keys and the tensors of `config`.
class EmptyModel {
 public:
  explicit EmptyModel(const ModelConfig& config) : keys(gguf_from_config(config)) {
    for (const auto& [name, shape] : model::tensor_shapes(config))
      tensors.push_back({gguf_tensor_name(config, name), model::GgmlType::f32, shape});
  }
  ModelConfig read() const {
    model::write_gguf(folder_ / "m.gguf", keys, tensors,
                      [](const model::GgufDeclaration& tensor, model::ByteSink& sink) {
                        sink.append(std::string(tensor.bytes(), '\0').data(), tensor.bytes());
                      });
    return config_from_gguf(model::GgufFile(folder_ / "m.gguf"));
  }
  std::string refusal() const {
    return error_of([&] { read(); });
  }
  model::GgufMetadata keys;
  std::vector<model::GgufDeclaration> tensors;

 private:
  tests::TemporaryFolder folder_;
};

TEST(GgufConfig, ComesBackAsItWas) {
  const ModelConfig plain = runtime::testing::awkward_config();
  EXPECT_EQ(EmptyModel(plain).read(), plain);
  ModelConfig linear = plain;
  linear.rope_scaling = {.type = model::RopeType::linear, .factor = 2.5};
  EXPECT_EQ(EmptyModel(linear).read(), linear);
  ModelConfig qwen2 = runtime::testing::awkward_config("qwen2");
  qwen2.sliding_layers.clear();
  qwen2.sliding_window = 0;
  qwen2.rope_scaling.attention_factor = 0.1 * std::log(4) + 1;
  EXPECT_EQ(EmptyModel(qwen2).read(), qwen2);
  EXPECT_FALSE(gguf_from_config(qwen2).contains("qwen2.rope.scaling.attn_factor"));
  qwen2.rope_scaling.attention_factor *= 0.5;  // has a key of its own, which f32 holds exactly here
  EXPECT_EQ(std::get<float>(gguf_from_config(qwen2).at("qwen2.rope.scaling.attn_factor")), 0.5F);
  EXPECT_EQ(EmptyModel(qwen2).read(), qwen2);
  const ModelConfig qwen3 = runtime::testing::awkward_config("qwen3");
  EXPECT_EQ(EmptyModel(qwen3).read(), qwen3);
  ModelConfig gemma = runtime::testing::awkward_config("gemma3");
  gemma.layers = 13;
  gemma.sliding_layers.assign(13, true);
  gemma.sliding_layers[5] = gemma.sliding_layers[11] = false;
  gemma.local_rope_theta = 10000;
  gemma.attention_scalar = 10;
  gemma.rope_scaling = {.type = model::RopeType::linear, .factor = 8};
  EXPECT_EQ(EmptyModel(gemma).read(), gemma);
  // What a file does not say is as llama.cpp has it; what it cannot say is not written.
  EmptyModel other(gemma);
  other.keys["gemma3.attention.sliding_window_pattern"] = std::uint32_t{2};
  other.keys["gemma3.rope.freq_base_swa"] = 500.0F;
  const ModelConfig read = other.read();
  EXPECT_EQ(read.window(0), 7);
  EXPECT_EQ(read.window(1), 0);
  EXPECT_EQ(read.local_rope_theta, 500);
  for (const auto& [change, message] : std::vector<std::pair<std::function<void(ModelConfig&)>, std::string>>{
           {[](ModelConfig& config) { config.sliding_layers[5] = true; }, "layer_types: expected every sixth"},
           {[](ModelConfig& config) { config.local_rope_theta = 500; }, "rope_local_base_freq: expected 10000"},
           {[](ModelConfig& config) { config.attention_scalar = 17; }, "query_pre_attn_scalar: expected 10"}}) {
    ModelConfig changed = gemma;
    change(changed);
    EXPECT_TRUE(contains(error_of([&] { gguf_from_config(changed); }), message)) << message;
  }
  EmptyModel capped(gemma);
  capped.keys["gemma3.final_logit_softcapping"] = 30.0F;
  EXPECT_TRUE(contains(capped.refusal(), "key 'gemma3.final_logit_softcapping'")) << capped.refusal();
}

TEST(GgufConfig, WhatGgufCannotSayIsNotExported) {
  ModelConfig config = runtime::testing::awkward_config("qwen2");
  EXPECT_TRUE(contains(error_of([&] { gguf_from_config(config); }), "sliding_window: expected none"));
  config.sliding_layers.clear();
  config.rope_scaling.truncate = false;
  EXPECT_TRUE(contains(error_of([&] { gguf_from_config(config); }), "rope_scaling: expected the default truncate"));
}

TEST(GgufConfig, WhatIsNotImplementedIsRefusedByKey) {
  const auto with = [](const std::string& key, const model::GgufValue& value) {
    EmptyModel file(runtime::testing::awkward_config());
    file.keys[key] = value;
    return file.refusal();
  };
  const auto number = [](std::uint32_t value) { return model::GgufValue(value); };
  EXPECT_TRUE(contains(with("general.architecture", std::string("gemma")),
                       R"(expected "llama", "qwen2", "qwen3" or "gemma3")"));
  EXPECT_TRUE(contains(with("llama.expert_count", number(8)), "a mixture of experts is not implemented"));
  EXPECT_TRUE(contains(with("llama.rope.dimension_count", number(4)), "rotating a part of a head"));
  EXPECT_TRUE(contains(with("llama.attention.value_length", number(4)), "key 'llama.attention.value_length'"));
  EXPECT_TRUE(contains(with("llama.attention.sliding_window", number(4)), "sliding window"));
  EXPECT_TRUE(contains(with("llama.rope.scaling.type", std::string("longrope")), R"("none", "linear" or "yarn")"));
  EXPECT_TRUE(contains(with("llama.rope.scaling.attn_factor", 0.5F), "expected 1 without YaRN"));
  EXPECT_TRUE(contains(with("llama.rope.scaling.yarn_attn_factor", 0.5F), "expected 1 (others are not implemented)"));
  EXPECT_TRUE(contains(with("llama.rope.scaling.yarn_ext_factor", 0.5F), "expected 0 without YaRN"));
  EXPECT_TRUE(contains(with("llama.rope.freq_base", 0.0F), "expected a number above 0"));
  EXPECT_TRUE(contains(with("llama.block_count", number(0)), "key 'llama.block_count'"));
  EXPECT_TRUE(contains(with("llama.block_count", 3.0F), "found 3.0"));
  EXPECT_TRUE(contains(with("llama.embedding_length", number(71)), "tensor 'token_embd.weight'"));
  EXPECT_TRUE(contains(with("llama.attention.head_count_kv", number(4)), "num_key_value_heads"));
  EXPECT_TRUE(contains(with("tokenizer.ggml.eos_token_id", number(131)), "a whole number from 0 to 130, found 131"));
}

}  // namespace
}  // namespace retort::exchange
