// Reading weights: concatenation, mixed storage, NaN.
#include "runtime/decoder/weights.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "random_linear.h"
#include "random_model.h"

namespace retort::runtime {
namespace {

using testing::Storage;
using testing::TemporaryFolder;
using testing::Weights;

TEST(ReadFused, StacksTheModulesInOrder) {
  const TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config();
  const Weights weights = testing::random_weights(config, 1);
  testing::write_model(folder.path(), config, weights, Storage::f32);
  const model::ModelFolder model(folder.path());
  const LinearWeights fused = read_fused(model, "model.layers.1.self_attn", {"q_proj", "k_proj", "v_proj"});
  EXPECT_EQ(fused.name, "model.layers.1.self_attn.q_proj+k_proj+v_proj");
  EXPECT_EQ(fused.form, WeightForm::f32);
  EXPECT_EQ(fused.in, 70);
  EXPECT_EQ(fused.out, 100);
  std::vector<float> expected = weights.at("model.layers.1.self_attn.q_proj.weight");
  for (const char* name : {"k_proj", "v_proj"}) {
    const std::vector<float>& part = weights.at(std::string("model.layers.1.self_attn.") + name + ".weight");
    expected.insert(expected.end(), part.begin(), part.end());
  }
  EXPECT_EQ(dequantized(fused), expected);
  fused.release();  // what was read stays readable
  EXPECT_EQ(dequantized(fused), expected);
}

TEST(ReadFused, KeepsInt8OnlyIfAllPartsAreInt8) {
  const TemporaryFolder folder;
  const model::ModelConfig config = testing::awkward_config();
  testing::write_model(folder.path(), config, testing::random_weights(config, 1), Storage::int8,
                       {"model.layers.0.self_attn.k_proj"});
  const model::ModelFolder model(folder.path());
  EXPECT_EQ(read_fused(model, "model.layers.1.self_attn", {"q_proj", "k_proj", "v_proj"}).form, WeightForm::int8);
  const LinearWeights mixed = read_fused(model, "model.layers.0.self_attn", {"q_proj", "k_proj", "v_proj"});
  EXPECT_EQ(mixed.form, WeightForm::f32);
  std::vector<float> expected;
  for (const char* name : {"q_proj", "k_proj", "v_proj"}) {
    const std::vector<float> part = model::to_f32(model.linear(std::string("model.layers.0.self_attn.") + name));
    expected.insert(expected.end(), part.begin(), part.end());
  }
  EXPECT_EQ(dequantized(mixed), expected);
}

TEST(Join, PacksInt4InTheLargestGroupThatDividesAllParts) {
  std::mt19937 random(1);
  const auto group_of = [&](std::int64_t first, std::int64_t second) {
    const testing::RandomLinear a(768, 8, first, model::DataType::f32, random);
    const testing::RandomLinear b(768, 4, second, model::DataType::f32, random);
    const LinearWeights joined = join("a+b", "test", {a.weight(), b.weight()});
    std::vector<float> expected = a.values();
    const std::vector<float> rest = b.values();
    expected.insert(expected.end(), rest.begin(), rest.end());
    EXPECT_EQ(dequantized(joined), expected);
    return joined.form == WeightForm::int4 ? joined.group_size : -1;
  };
  EXPECT_EQ(group_of(64, 64), 64);
  EXPECT_EQ(group_of(128, 32), 32);
  EXPECT_EQ(group_of(384, 96), 32);
  EXPECT_EQ(group_of(0, 256), 128);
  EXPECT_EQ(group_of(64, 16), -1);  // in f32
}

TEST(ReadRow, EqualsTheWholeWeightInEveryForm) {
  std::mt19937 random(2);
  const testing::RandomLinear f32(WeightForm::f32, 70, 9, random), bf16(WeightForm::bf16, 70, 9, random),
      int8(WeightForm::int8, 70, 9, random), int4(96, 9, 32, model::DataType::f16, random);
  for (const testing::RandomLinear* linear : {&f32, &bf16, &int8, &int4}) {
    EXPECT_EQ(dequantized(linear->weights()), linear->values());
  }
}

TEST(FiniteF32, NamesTensorAndPlaceOfTheFirstBadElement) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    std::vector<float> values(40, 1.0f);
    values[23] = bad;
    const model::StoredTensor tensor{
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
