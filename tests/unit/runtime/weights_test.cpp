// Reading weights: concatenation, mixed storage, NaN.
#include "runtime/weights.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "random_model.h"

namespace retort::runtime {
namespace {

using testing::Storage;
using testing::TemporaryFolder;
using testing::Weights;

TEST(ReadFused, ConcatenatesInOrder) {
  const TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config();
  const Weights weights = testing::random_weights(config, 1);
  testing::write_model(folder.path(), config, weights, Storage::f32);
  const model::ModelFolder model(folder.path());
  const LinearWeights fused = read_fused(model, "model.layers.1.self_attn", {"q_proj", "k_proj", "v_proj"});
  EXPECT_EQ(fused.shape, (MatmulShape{Arithmetic::f32, 70, 100}));
  std::vector<float> expected = weights.at("model.layers.1.self_attn.q_proj.weight");
  for (const char* name : {"k_proj", "v_proj"}) {
    const std::vector<float>& part = weights.at(std::string("model.layers.1.self_attn.") + name + ".weight");
    expected.insert(expected.end(), part.begin(), part.end());
  }
  EXPECT_EQ(fused.values, expected);
}

TEST(ReadFused, KeepsInt8OnlyIfAllPartsAreInt8) {
  const TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config();
  testing::write_model(folder.path(), config, testing::random_weights(config, 1), Storage::int8,
                       {"model.layers.0.self_attn.k_proj"});
  const model::ModelFolder model(folder.path());
  const LinearWeights pure = read_fused(model, "model.layers.1.self_attn", {"q_proj", "k_proj", "v_proj"});
  EXPECT_EQ(pure.shape, (MatmulShape{Arithmetic::int8, 70, 100}));
  EXPECT_EQ(pure.scales.size(), 100u);
  EXPECT_EQ(pure.codes.size(), 7000u);

  const LinearWeights mixed = read_fused(model, "model.layers.0.self_attn", {"q_proj", "k_proj", "v_proj"});
  EXPECT_EQ(mixed.shape, (MatmulShape{Arithmetic::f32, 70, 100}));
  std::vector<float> expected;
  for (const char* name : {"q_proj", "k_proj", "v_proj"}) {
    const std::string module = std::string("model.layers.0.self_attn.") + name;
    const std::vector<float> part = dequantized(read_linear(model.linear(module), module, "test"));
    expected.insert(expected.end(), part.begin(), part.end());
  }
  EXPECT_EQ(mixed.values, expected);
}

TEST(ReadLinear, ReadsAnInt8EmbeddingToo) {
  const std::vector<std::int8_t> codes{1, -2, 3, -127, 0, 127};
  const std::vector<float> scales{0.5f, 2.0f};
  const model::TensorView weight{
      "e.weight", model::DataType::i8, {2, 3}, reinterpret_cast<const std::byte*>(codes.data())};
  const model::TensorView scale{
      "e.scale", model::DataType::f32, {2, 1}, reinterpret_cast<const std::byte*>(scales.data())};
  const LinearWeights read = read_linear({&weight, &scale, 8, 0, {2, 3}}, "e", "test");
  EXPECT_EQ(read.shape, (MatmulShape{Arithmetic::int8, 3, 2}));
  EXPECT_EQ(dequantized(read), (std::vector<float>{0.5f, -1.0f, 1.5f, -254.0f, 0.0f, 254.0f}));
}

TEST(FiniteF32, NamesTensorAndPlaceOfTheFirstBadElement) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(40, 1.0f);
    values[23] = bad;
    const model::TensorView tensor{
        "model.norm.weight", model::DataType::f32, {40}, reinterpret_cast<const std::byte*>(values.data())};
    try {
      finite_f32(tensor, "some/folder");
      ADD_FAILURE() << "accepted " << bad;
    } catch (const std::runtime_error& error) {
      const std::string text = error.what();
      EXPECT_NE(text.find("some/folder"), std::string::npos) << text;
      EXPECT_NE(text.find("'model.norm.weight', element 23"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace retort::runtime
