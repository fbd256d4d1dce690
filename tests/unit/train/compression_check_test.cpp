// What pruning, sparsifying and quantising refuse before any work: codes, weights that are not finite, tokens that the
// model has no row for, calibration data that is not there.
#include "train/compression_check.h"

#include <retort/abi/pruner.h>
#include <retort/abi/quantizer.h>
#include <retort/abi/sparsifier.h>

#include <limits>

#include "host/plugin/plugin_error.h"
#include "train/compression_fixture.h"
#include "train/pruning.h"
#include "train/quantization.h"
#include "train/sparsification.h"

namespace retort::train {
namespace {

/// Algorithms that want calibration data, and would do nothing.
struct Idle {
  bool asked = false;
  static retort_error* begin(retort_instance* instance) {
    reinterpret_cast<Idle*>(instance)->asked = true;
    return nullptr;
  }
  static const retort_pruner_v1& pruner() {
    static const retort_pruner_v1 table = {
        RETORT_PRUNER_V1_SIZE, 0,
        [](retort_instance*, retort_prune_requirements* out) -> retort_error* {
          out->signals = RETORT_SIGNAL_TOKEN_COUNTS;
          out->samples = 100;
          return nullptr;
        },
        [](retort_instance* self, const retort_prune_structure*, const retort_prune_signals*, const retort_prune_model*,
           const retort_prune_plan_sink*, const retort_metric_sink*) { return begin(self); }};
    return table;
  }
  static const retort_sparsifier_v1& sparsifier() {
    static const retort_sparsifier_v1 table = {
        RETORT_SPARSIFIER_V1_SIZE, 0,
        [](retort_instance*, retort_sparsify_requirements* out) -> retort_error* {
          out->signals = RETORT_SIGNAL_INPUT_SQUARE_SUM;
          out->samples = 100;
          return nullptr;
        },
        [](retort_instance* self, const retort_site*, std::uint64_t, const retort_sparsify_output*,
           const retort_metric_sink*) { return begin(self); }};
    return table;
  }
  static const retort_quantizer_v1& quantizer() {
    static const retort_quantizer_v1 table = {
        RETORT_QUANTIZER_V1_SIZE,
        0,
        [](retort_instance*, retort_quantize_requirements* out) -> retort_error* {
          out->signals = RETORT_SIGNAL_INPUT_SQUARE_SUM;
          out->samples = 100;
          return nullptr;
        },
        [](retort_instance*, const retort_site*, retort_quantize_scheme* out) -> retort_error* {
          out->bits = 8;
          out->symmetric = 1;
          out->group_size = 0;
          return nullptr;
        },
        nullptr,
        [](retort_instance* self, const retort_site*, std::uint64_t, const retort_quantize_scheme*,
           const retort_quantize_output*, const retort_metric_sink*) { return begin(self); }};
    return table;
  }
};

class CompressionCheck : public CompressionJobTest {
 protected:
  /// What each stage's work says of the model and the data, after its name.
  std::vector<std::string> refusals() {
    std::vector<std::string> found;
    Idle idle;
    const auto run = [&](const auto& body) {
      found.push_back(message_of(body));
      EXPECT_FALSE(idle.asked) << found.back();
      EXPECT_FALSE(std::filesystem::exists(output_ / "config.json"));
    };
    run([&] {
      PruningJob job;
      job.dataset = dataset_, job.model = model_, job.output = output_;
      job.pruner = bound("prune.idle", &idle, Idle::pruner());
      prune(job, hooks());
    });
    run([&] {
      SparsificationJob job{.model = model_, .dataset = dataset_, .output = output_};
      job.sparsifier = bound("sparsify.idle", &idle, Idle::sparsifier());
      sparsify(job, hooks());
    });
    run([&] {
      QuantizationJob job{.model = model_, .dataset = dataset_, .output = output_};
      job.quantizer = bound("quantize.idle", &idle, Idle::quantizer());
      quantize(job, hooks());
    });
    return found;
  }
  void expect_all_say(const std::vector<std::string>& parts) {
    for (const std::string& refusal : refusals())
      for (const std::string& part : parts) EXPECT_NE(refusal.find(part), std::string::npos) << refusal;
  }
};

TEST_F(CompressionCheck, AModelThatIsQuantisedAlready) {
  write_model();
  runtime::testing::write_model(model_, config_, weights_, runtime::testing::Storage::int8);
  expect_all_say({model_.string(), ".idle wants floating-point weights", "quantised already", "quantise last"});
}

TEST_F(CompressionCheck, WeightsThatAreNotFinite) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
    write_model();
    weights_.at("model.layers.2.mlp.up_proj.weight")[3 * 64 + 5] = bad;
    runtime::testing::write_model(model_, config_, weights_, runtime::testing::Storage::f32);
    expect_all_say({"model.layers.2.mlp.up_proj.weight, row 3, column 5", "expected finite weights"});
  }
  write_model();
  weights_.at("model.norm.weight")[7] = std::numeric_limits<float>::infinity();
  runtime::testing::write_model(model_, config_, weights_, runtime::testing::Storage::f32);
  expect_all_say({"model.norm.weight"});
}

TEST_F(CompressionCheck, WeightsOfSixteenBitsThatAreNotFinite) {
  write_model();
  // The bits of an infinity, of no number, and of the largest and the smallest numbers, which are neither.
  const std::map<model::DataType, std::vector<std::uint16_t>> bad = {{model::DataType::bf16, {0x7F80, 0xFF80, 0x7FC0}},
                                                                     {model::DataType::f16, {0x7C00, 0xFC00, 0x7E01}}};
  const std::map<model::DataType, std::vector<std::uint16_t>> good = {{model::DataType::bf16, {0x7F7F, 0x8001, 0x7C00}},
                                                                      {model::DataType::f16, {0x7BFF, 0x8001, 0x3C00}}};
  for (const auto& [type, patterns] : bad) {
    std::map<std::string, std::vector<std::uint16_t>> bits;
    std::vector<model::StoredTensor> tensors;
    for (const auto& [name, shape] : model::tensor_shapes(config_)) {
      std::vector<std::uint16_t>& values = bits[name];
      values.assign(weights_.at(name).size(), 0x3C00);
      tensors.push_back({name, type, shape, reinterpret_cast<const std::byte*>(values.data())});
    }
    const model::ModelFolder folder(config_, tensors, "in memory");
    std::uint16_t& one = bits.at("model.layers.1.self_attn.o_proj.weight")[2 * 64 + 9];
    for (const std::uint16_t pattern : good.at(type)) {
      one = pattern;
      EXPECT_EQ(message_of([&] { expect_float_weights(folder, "awq", hooks()); }), "") << pattern;
    }
    for (const std::uint16_t pattern : patterns) {
      one = pattern;
      const std::string refusal = message_of([&] { expect_float_weights(folder, "awq", hooks()); });
      EXPECT_NE(refusal.find("model.layers.1.self_attn.o_proj.weight, row 2, column 9"), std::string::npos) << refusal;
    }
  }
}

TEST_F(CompressionCheck, TheTokenizerOfAnotherModel) {
  write_model();
  config_.vocabulary_size = 40;  // fewer rows than the tokenizer has tokens
  runtime::testing::write_model(model_, config_, runtime::testing::random_weights(config_, 3),
                                runtime::testing::Storage::f32);
  expect_all_say({"tokenizer.json: token ", "has no row in the model, which has 40: the tokenizer is another model's"});
}

TEST_F(CompressionCheck, NoCalibrationRows) {
  write_model();
  task::write_split(dataset_ / "train.jsonl", {});
  expect_all_say({"train.jsonl", ".idle wants calibration data"});
}

}  // namespace
}  // namespace retort::train
