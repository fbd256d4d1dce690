// Our folders as compressed-tensors and transformers read them (compressed_tensors_golden.py): the same weights to the
// last bit, and the same logits up to where an activation is rounded to the neighbouring int8 code.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "quantized_models.h"
#include "runtime/decoder/reference.h"

namespace retort::interop {
namespace {

using Json = nlohmann::json;

class CompressedTensors : public ::testing::TestWithParam<QuantizedModel> {
 protected:
  CompressedTensors() {
    write_quantized_model(folder_.path(), GetParam());
    const Json golden = host::read_json(GOLDEN_FILE);
    golden_ = golden.at("models").at(GetParam().name);
    tokens_ = golden.at("tokens").get<std::vector<std::int32_t>>();
  }
  tests::TemporaryFolder folder_;
  Json golden_;
  std::vector<std::int32_t> tokens_;
};

TEST_P(CompressedTensors, ReadTheFilesThatWeWrite) {
  for (const auto& [name, hash] : golden_.at("files").items())
    EXPECT_EQ(host::sha256_of_file(folder_ / name), hash.get<std::string>())
        << name << ": the writer changed; run compressed_tensors_golden.py again";
}

TEST_P(CompressedTensors, RestoreTheWeightsThatWeRestore) {
  const model::ModelFolder opened(folder_.path());
  ASSERT_EQ(golden_.at("weights").size(), 12U);
  std::map<int, int> modules;  // by bits
  for (const auto& [name, golden] : golden_.at("weights").items()) {
    const std::string module = name.substr(0, name.size() - std::string(".weight").size());
    std::vector<float> values;
    if (golden.at("shape").size() == 1) {
      values = model::to_f32(opened.tensor(name));
    } else {
      const model::LinearWeight weight = module == "lm_head" ? opened.head() : opened.linear(module);
      values = model::to_f32(weight);
      ++modules[weight.bits];
    }
    const std::string_view bytes(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
    EXPECT_EQ(host::sha256(bytes), golden.at("sha256").get<std::string>())
        << name << ": first value " << values[0] << ", expected " << golden.at("first")[0];
  }
  const std::map<std::string, std::map<int, int>> expected = {{"int8-tied", {{8, 9}}},
                                                              {"int8-untied", {{8, 9}}},
                                                              {"int4-tied", {{4, 7}, {8, 2}}},
                                                              {"int4-untied", {{4, 6}, {8, 3}}},
                                                              {"w8a16-tied", {{8, 9}}},
                                                              {"w8a16-untied", {{8, 9}}},
                                                              {"w4a16-untied", {{4, 6}, {8, 3}}},
                                                              {"w4a16-pure-tied", {{4, 9}}},
                                                              {"w4a16-pure-untied", {{4, 9}}},
                                                              {"w4a16-asymmetric-tied", {{4, 7}, {8, 2}}},
                                                              {"w4a16-asymmetric-untied", {{4, 6}, {8, 3}}},
                                                              {"w4a16-pure-asymmetric-untied", {{4, 9}}}};
  EXPECT_EQ(modules, expected.at(GetParam().name));
}

/// The largest difference of the last |b| values of `a` from `b`.
float largest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  float largest = 0;
  for (std::size_t i = 0; i < b.size(); ++i) largest = std::max(largest, std::abs(a[a.size() - b.size() + i] - b[i]));
  return largest;
}

// The weights are equal, but an int8 activation's step is max|x|/127.5 there (quantization/utils/helpers.py) and
// max|x|/127 here: the logits may differ by what quantising activations changes at all, twice.
TEST_P(CompressedTensors, GiveTheLogitsThatWeGive) {
  using runtime::ReferenceModel;
  const model::ModelFolder opened(folder_.path());
  const auto golden = golden_.at("logits").get<std::vector<float>>();
  const auto logits = ReferenceModel(opened, ReferenceModel::Activations::as_stored).forward_all(tokens_);
  const auto exact = ReferenceModel(opened, ReferenceModel::Activations::f32).forward_all(tokens_);
  if (GetParam().activation_bits == 0) {
    EXPECT_EQ(logits, exact);
    EXPECT_LT(largest_difference(exact, golden), 1e-5F);
    return;
  }
  const float cost =
      largest_difference(logits, {exact.end() - static_cast<std::ptrdiff_t>(golden.size()), exact.end()});
  EXPECT_LT(cost, 0.06F);  // of logits up to 2
  // They round the activations of a tied head, too, which we take as they are.
  const float allowed = std::max(2 * cost, GetParam().tied ? 0.03F : 0.0F);
  EXPECT_LT(largest_difference(logits, golden), allowed);
  EXPECT_LT(largest_difference(exact, golden), allowed);
}

INSTANTIATE_TEST_SUITE_P(Folders, CompressedTensors, ::testing::ValuesIn(quantized_models()), [](const auto& instance) {
  std::string name = instance.param.name;
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
});

}  // namespace
}  // namespace retort::interop
