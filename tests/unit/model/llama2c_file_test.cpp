// Checkpoints of llama2.c, versions 0 and 1, built here in the order of export.py; and broken ones.
#include "model/llama2c_file.h"

#include <gtest/gtest.h>

#include <cstring>

#include "fixtures.h"
#include "host/base/files.h"

namespace retort::model {
namespace {

using tests::contains;
using tests::error_of;

// dim 8, hidden_dim 12, n_layers 2, n_heads 2, n_kv_heads 1, vocab_size 5, max_seq_len 6
constexpr std::int32_t sizes[] = {8, 12, 2, 2, 1, 5, 6};

struct Part {
  const char* name;  ///< "" for the rotary tables
  std::size_t elements;
};
constexpr Part version_0[] = {{"model.embed_tokens.weight", 40},
                              {"model.layers.0.input_layernorm.weight", 8},
                              {"model.layers.1.input_layernorm.weight", 8},
                              {"model.layers.0.self_attn.q_proj.weight", 64},
                              {"model.layers.1.self_attn.q_proj.weight", 64},
                              {"model.layers.0.self_attn.k_proj.weight", 32},
                              {"model.layers.1.self_attn.k_proj.weight", 32},
                              {"model.layers.0.self_attn.v_proj.weight", 32},
                              {"model.layers.1.self_attn.v_proj.weight", 32},
                              {"model.layers.0.self_attn.o_proj.weight", 64},
                              {"model.layers.1.self_attn.o_proj.weight", 64},
                              {"model.layers.0.post_attention_layernorm.weight", 8},
                              {"model.layers.1.post_attention_layernorm.weight", 8},
                              {"model.layers.0.mlp.gate_proj.weight", 96},
                              {"model.layers.1.mlp.gate_proj.weight", 96},
                              {"model.layers.0.mlp.down_proj.weight", 96},
                              {"model.layers.1.mlp.down_proj.weight", 96},
                              {"model.layers.0.mlp.up_proj.weight", 96},
                              {"model.layers.1.mlp.up_proj.weight", 96},
                              {"model.norm.weight", 8},
                              {"", 24}};

std::string floats(std::size_t first, std::size_t count) {
  std::string bytes;
  for (std::size_t i = 0; i < count; ++i) {
    const auto value = static_cast<float>(first + i);
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  }
  return bytes;
}

std::string header_0(bool own_head) {
  std::string bytes(reinterpret_cast<const char*>(sizes), sizeof(sizes));
  const std::int32_t vocabulary = own_head ? -5 : 5;
  std::memcpy(bytes.data() + 20, &vocabulary, sizeof(vocabulary));
  return bytes;
}

/// Float number i of the file has the value i.
std::string checkpoint_0(bool own_head) {
  std::size_t elements = own_head ? 40 : 0;
  for (const Part& part : version_0) elements += part.elements;
  return header_0(own_head) + floats(0, elements);
}

std::span<const std::byte> llama2c_bytes(const std::string& content) {
  return {reinterpret_cast<const std::byte*>(content.data()), content.size()};
}

float first_value(const Llama2cFile& file, const std::string& name) {
  float value = 0;
  std::memcpy(&value, file.tensor(name).data, sizeof(value));
  return value;
}

TEST(Llama2cFile, Version0) {
  for (const bool own_head : {false, true}) {
    const std::string content = checkpoint_0(own_head);
    const Llama2cFile file(llama2c_bytes(content), "memory");
    EXPECT_EQ(file.config().hidden_size, 8);
    EXPECT_EQ(file.config().intermediate_size, 12);
    EXPECT_EQ(file.config().layers, 2);
    EXPECT_EQ(file.config().heads, 2);
    EXPECT_EQ(file.config().kv_heads, 1);
    EXPECT_EQ(file.config().head_dim, 4);
    EXPECT_EQ(file.config().vocabulary_size, 5);
    EXPECT_EQ(file.config().max_positions, 6);
    EXPECT_EQ(file.config().tie_word_embeddings, !own_head);
    std::size_t place = 0;
    for (const Part& part : version_0) {
      if (*part.name != '\0') {
        EXPECT_EQ(first_value(file, part.name), static_cast<float>(place)) << part.name;
        std::int64_t elements = 1;
        for (const std::int64_t size : file.tensor(part.name).shape) elements *= size;
        EXPECT_EQ(elements, static_cast<std::int64_t>(part.elements)) << part.name;
      }
      place += part.elements;
    }
    if (own_head)
      EXPECT_EQ(first_value(file, "lm_head.weight"), static_cast<float>(place));
    else
      EXPECT_THROW(file.tensor("lm_head.weight"), std::invalid_argument);
  }
}

TEST(Llama2cFile, Version1HasTheNormsFirst) {
  std::string content("24ka\1\0\0\0", 8);
  content.append(reinterpret_cast<const char*>(sizes), sizeof(sizes));
  content += '\0';  // shared_classifier: no
  content.resize(256, '\0');
  content += floats(0, 4 * 8 + 8 + 40 + 2 * (64 + 32 + 32 + 64 + 3 * 96) + 40);
  const Llama2cFile file(llama2c_bytes(content), "memory");
  EXPECT_FALSE(file.config().tie_word_embeddings);
  EXPECT_EQ(first_value(file, "model.layers.1.post_attention_layernorm.weight"), 24.0F);
  EXPECT_EQ(first_value(file, "model.norm.weight"), 32.0F);
  EXPECT_EQ(first_value(file, "model.embed_tokens.weight"), 40.0F);
  EXPECT_EQ(first_value(file, "model.layers.0.self_attn.q_proj.weight"), 80.0F);
  EXPECT_EQ(first_value(file, "lm_head.weight"), 80.0F + 2 * (64 + 32 + 32 + 64 + 3 * 96));
  content[4] = 2;
  EXPECT_TRUE(
      contains(error_of([&] { Llama2cFile(llama2c_bytes(content), "m.bin"); }), "m.bin: header: expected version 1"));
}

TEST(Llama2cFile, WrongSizesAreRefused) {
  const std::string content = checkpoint_0(false);
  for (std::size_t size = 0; size < content.size(); size += size < 64 ? 1 : 61) {
    const std::string cut = content.substr(0, size);
    ASSERT_THROW(Llama2cFile(llama2c_bytes(cut), "cut"), std::invalid_argument) << size;
  }
  const std::string longer = content + "1234";
  EXPECT_TRUE(
      contains(error_of([&] { Llama2cFile(llama2c_bytes(longer), "m.bin"); }),
               "m.bin: file: expected " + std::to_string(content.size()) + " bytes, as its header says, found"));
  const std::string cut = content.substr(0, content.size() - 200);
  EXPECT_TRUE(contains(error_of([&] { Llama2cFile(llama2c_bytes(cut), "m.bin"); }), "the file is truncated"));
}

TEST(Llama2cFile, WrongHeadersAreRefusedByField) {
  const auto refusal = [](std::size_t field, std::int32_t value) {
    std::string content = checkpoint_0(false);
    std::memcpy(content.data() + field * 4, &value, sizeof(value));
    return error_of([&] { Llama2cFile(llama2c_bytes(content), "m.bin"); });
  };
  EXPECT_TRUE(contains(refusal(0, 0), "header field dim: expected 1 to 1048576"));
  EXPECT_TRUE(contains(refusal(0, INT32_MAX), "header field dim"));
  EXPECT_TRUE(contains(refusal(0, 6), "header field dim: expected an even multiple of n_heads, 2, found 6"));
  EXPECT_TRUE(contains(refusal(2, -1), "header field n_layers"));
  EXPECT_TRUE(contains(refusal(3, 3), "header field dim"));
  EXPECT_TRUE(contains(refusal(4, 2), "truncated"));
  EXPECT_TRUE(contains(refusal(5, INT32_MIN), "header field vocab_size"));
  EXPECT_TRUE(contains(refusal(6, 1 << 29), "rotary tables"));
}

}  // namespace
}  // namespace retort::model
