// Block types against llama.cpp's own bytes and values (tests/golden/gguf_blocks.json, made by
// tests/interop/gguf_blocks_golden.py), and the 16-bit types against the compiler's.
#include "model/gguf_blocks.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>
#include <set>

#include "fixtures.h"
#include "host/base/json.h"
#include "model/half_precision.h"

namespace retort::model {
namespace {

using Bytes = std::vector<std::byte>;

Bytes from_hex(const std::string& text) {
  Bytes bytes;
  for (std::size_t i = 0; i < text.size(); i += 2)
    bytes.push_back(static_cast<std::byte>(std::stoi(text.substr(i, 2), nullptr, 16)));
  return bytes;
}

std::vector<float> floats_of(const Bytes& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

const nlohmann::json& golden() {
  static const nlohmann::json json = host::read_json(std::string(RETORT_GOLDEN) + "/gguf_blocks.json");
  return json;
}

TEST(GgufBlocks, ValuesAreLlamaCppsToTheBit) {
  int types = 0;
  for (const auto& [name, entry] : golden().at("types").items()) {
    const auto type = ggml_type(entry.at("number").get<std::uint32_t>());
    ASSERT_TRUE(type) << name;
    EXPECT_EQ(name_of(*type), name);
    const Bytes blocks = from_hex(entry.at("blocks").get<std::string>());
    const std::vector<float> expected = floats_of(from_hex(entry.at("values").get<std::string>()));
    ASSERT_EQ(ggml_bytes(*type, expected.size()), blocks.size()) << name;
    std::vector<float> values(expected.size());
    dequantise(*type, blocks.data(), values);
    for (std::size_t i = 0; i < values.size(); ++i)
      ASSERT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(expected[i])) << name << " " << i;
    ++types;
  }
  EXPECT_EQ(types, 10);
}

TEST(GgufBlocks, WritesLlamaCppsBytes) {
  const std::vector<float> values = floats_of(from_hex(golden().at("values").get<std::string>()));
  std::set<std::string> written;
  for (const auto& [name, entry] : golden().at("types").items()) {
    const GgmlType type = *ggml_type(entry.at("number").get<std::uint32_t>());
    if (!can_quantise(type)) {
      EXPECT_THROW(quantise(type, values, nullptr), std::invalid_argument) << name;
      continue;
    }
    const Bytes expected = from_hex(entry.at("blocks").get<std::string>());
    Bytes blocks(expected.size());
    quantise(type, values, blocks.data());
    EXPECT_EQ(blocks, expected) << name;
    written.insert(name);
  }
  EXPECT_EQ(written, (std::set<std::string>{"BF16", "F16", "Q4_0", "Q4_1", "Q8_0"}));
}

TEST(GgufBlocks, EveryBitPatternHasAValue) {
  std::mt19937 random(5);
  for (const std::uint32_t number : {0U, 1U, 2U, 3U, 6U, 7U, 8U, 12U, 13U, 14U, 30U}) {
    const GgmlType type = *ggml_type(number);
    Bytes blocks(block_bytes(type));
    for (int round = 0; round < 200; ++round) {
      for (std::byte& byte : blocks) byte = static_cast<std::byte>(random());
      // Every element is written, whatever stood there before.
      std::vector<float> values(block_elements(type), 1e30F), again(block_elements(type), -1e30F);
      dequantise(type, blocks.data(), values);
      dequantise(type, blocks.data(), again);
      EXPECT_EQ(std::memcmp(values.data(), again.data(), values.size() * sizeof(float)), 0) << number;
    }
  }
}

TEST(GgufBlocks, NotANumberBecomesSomeCode) {
  const std::vector<float> values(32, std::numeric_limits<float>::quiet_NaN());
  for (const GgmlType type : {GgmlType::q8_0, GgmlType::q4_0, GgmlType::q4_1}) {
    Bytes blocks(block_bytes(type), std::byte{0xAA});
    quantise(type, values, blocks.data());
    EXPECT_NE(blocks, Bytes(block_bytes(type), std::byte{0xAA})) << name_of(type);
  }
}

TEST(GgufBlocks, UnknownTypesHaveNamesForMessages) {
  EXPECT_FALSE(ggml_type(10));
  EXPECT_EQ(ggml_type_name(10), "Q2_K");
  EXPECT_EQ(ggml_type_name(23), "IQ4_XS");
  EXPECT_EQ(ggml_type_name(8), "Q8_0");
  EXPECT_EQ(ggml_type_name(4), "type 4");
  EXPECT_EQ(ggml_type_name(4000000000U), "type 4000000000");
}

TEST(HalfPrecision, EveryPatternSurvivesTheWayThroughF32) {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = from_f16(half);
    if (std::isnan(value)) {
      EXPECT_TRUE(std::isnan(from_f16(to_f16(value)))) << bits;
    } else {
      ASSERT_EQ(to_f16(value), half);
    }
    const float brain = from_bf16(half);
    if (std::isnan(brain)) {
      EXPECT_TRUE(std::isnan(from_bf16(to_bf16(brain)))) << bits;
    } else {
      ASSERT_EQ(to_bf16(brain), half);
    }
  }
}

/// GCC's own conversion; on x86-64 it is in libgcc or the instruction vcvtps2ph.
TEST(HalfPrecision, RoundsAsTheCompilerDoes) {
  std::mt19937 random(3);
  for (int i = 0; i < 2'000'000; ++i) {
    const auto bits = static_cast<std::uint32_t>(random());
    // Every second one near the range of binary16, where rounding and subnormals are.
    const float value = std::bit_cast<float>(i % 2 == 0 ? bits : (bits & 0x8FFFFFFFU) | 0x30000000U);
    if (std::isnan(value)) continue;
    __extension__ const auto expected = static_cast<_Float16>(value);
    ASSERT_EQ(to_f16(value), std::bit_cast<std::uint16_t>(expected)) << value;
  }
  for (const float value : {65504.0F, 65519.9F, 65520.0F, 65536.0F, 0x1p-24F, 0x1p-25F, 0x1.8p-25F, 0x1.ffcp-15F}) {
    __extension__ const auto expected = static_cast<_Float16>(value);
    EXPECT_EQ(to_f16(value), std::bit_cast<std::uint16_t>(expected)) << value;
  }
}

}  // namespace
}  // namespace retort::model
