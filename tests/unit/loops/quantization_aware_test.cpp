// Quantisation-aware training: the straight-through gradient and that of step sizes by hand, a loop that learns both,
// the folder that comes out beside what was trained, and a killed run that ends with the same bytes.
#include "train/quantization_aware.h"

#include <gtest/gtest.h>
#include <retort/abi/quantizer.h>

#include <cmath>

#include "distill_fixture.h"
#include "host/base/files.h"
#include "model/linear_weight.h"
#include "runtime/decoder/decoder.h"
#include "stand_in_device.h"
#include "train/fake_quantization.h"

namespace retort::train {
namespace {

using namespace testing;
using torch::Tensor;

TEST(FakeQuantization, RoundsForwardAndPassesStraightThroughBackward) {
  // One row, two groups of three with scales 0.5 and −1; codes from −2 to 1, so that both ends clip.
  const Tensor weight = torch::tensor({{0.6F, -1.4F, 0.2F, 0.4F, 2.6F, -0.7F}}).set_requires_grad(true);
  const Tensor scales = torch::tensor({{0.5F, -1.0F}}).set_requires_grad(true);
  const Tensor upstream = torch::tensor({{1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}});
  const CodeRange range{{}, -2, 1};
  // v = 1.2 −2.8 0.4 | −0.4 −2.6 0.7 → codes 1 −2(−3) 0 | 0 −2(−3) 1.
  const Tensor rounded = fake_quantized(weight, scales, range);
  EXPECT_TRUE(torch::equal(rounded, torch::tensor({{0.5F, -1.0F, 0.0F, 0.0F, 2.0F, -1.0F}}))) << rounded;
  (rounded * upstream).sum().backward();
  EXPECT_TRUE(torch::equal(weight.grad(), torch::tensor({{1.0F, 0.0F, 3.0F, 4.0F, 0.0F, 6.0F}}))) << weight.grad();
  const double share = 1 / std::sqrt(3.0 * 1);  // three weights a group, the highest code 1
  const double first = share * (1 * (1 - 1.2) + 2 * -2 + 3 * (0 - 0.4));
  const double second = share * (4 * (0 + 0.4) + 5 * -2 + 6 * (1 - 0.7));
  EXPECT_NEAR(scales.grad()[0][0].item<double>(), first, 1e-6);
  EXPECT_NEAR(scales.grad()[0][1].item<double>(), second, 1e-6);
  EXPECT_TRUE(torch::equal(codes_of(weight, scales, range).restored(), rounded.detach()));
}

TEST(FakeQuantization, ZeroPointsMoveTheRange) {
  const Tensor weight = torch::tensor({{-0.2F, 0.9F, 3.4F, 7.6F}}).set_requires_grad(true);
  const Tensor scales = torch::tensor({{0.5F}}).set_requires_grad(true);
  const CodeRange range{torch::tensor({{-8.0F}}), -8, 7};  // levels 0 to 15
  const Tensor rounded = fake_quantized(weight, scales, range);
  EXPECT_TRUE(torch::equal(rounded, torch::tensor({{0.0F, 1.0F, 3.5F, 7.5F}}))) << rounded;
  rounded.sum().backward();
  // −0.4 rounds to 0, which is inside; 15.2 rounds to 15, which is too.
  EXPECT_TRUE(torch::equal(weight.grad(), torch::ones({1, 4}))) << weight.grad();
  EXPECT_NEAR(scales.grad()[0][0].item<double>(), (0.4 + 0.2 + 0.2 - 0.2) / std::sqrt(4.0 * 7), 1e-5);
  const Codes codes = codes_of(weight, scales, range);
  EXPECT_EQ(codes.codes.scalar_type(), torch::kUInt8);
  EXPECT_EQ(codes.zero_points[0][0].item<int>(), 0);
  EXPECT_TRUE(torch::equal(codes.restored(), rounded.detach()));
}

/// Symmetric rounding to nearest, four bits in groups of 32, in plain loops.
struct PlainInt4 {
  static retort_error* requirements(retort_instance*, retort_quantize_requirements*) { return nullptr; }
  static retort_error* scheme(retort_instance*, const retort_site*, retort_quantize_scheme* out) {
    out->bits = 4;
    out->symmetric = 1;
    out->group_size = 32;
    return nullptr;
  }
  static retort_error* quantize(retort_instance*, const retort_site* site, std::uint64_t module,
                                const retort_quantize_scheme*, const retort_quantize_output* output,
                                const retort_metric_sink*) {
    const std::int64_t count = site->modules[module].rows * site->columns;
    const auto* weight = static_cast<const float*>(site->modules[module].weight->data);
    auto* codes = static_cast<std::int8_t*>(output->codes->data);
    auto* scales = static_cast<float*>(output->scales->data);
    for (std::int64_t begin = 0; begin < count; begin += 32) {
      float largest = 1e-8F;
      for (std::int64_t i = begin; i < begin + 32; ++i) largest = std::max(largest, std::fabs(weight[i]));
      scales[begin / 32] = largest / 7;
      for (std::int64_t i = begin; i < begin + 32; ++i)
        codes[i] = static_cast<std::int8_t>(std::nearbyint(weight[i] / scales[begin / 32]));
    }
    return nullptr;
  }
  static retort_error* smooth(retort_instance*, const retort_site* site, const retort_tensor* factors,
                              const retort_metric_sink*) {
    for (std::int64_t i = 0; i < site->columns; ++i) static_cast<float*>(factors->data)[i] = i % 2 == 0 ? 1.0F : 2.0F;
    return nullptr;
  }
  static retort_bound_component component(bool smoothing = false) {
    static const retort_quantizer_v1 plain = {RETORT_QUANTIZER_V1_SIZE, 0, &requirements, &scheme, nullptr, &quantize};
    static const retort_quantizer_v1 smoothed = {
        RETORT_QUANTIZER_V1_SIZE, 0, &requirements, &scheme, &smooth, &quantize};
    static int instance = 0;
    return {sizeof(retort_bound_component),
            0,
            {"algorithm", 9},
            {"quantize.plain", 14},
            reinterpret_cast<retort_instance*>(&instance),
            smoothing ? &smoothed : &plain};
  }
};

class QuantizationAware : public ::testing::Test {
 protected:
  /// A float model whose columns hold groups of 32, learnt a little on the workplace's data.
  void SetUp() override {
    struct Job : FineTuningJob {
      std::filesystem::path policy;
    };
    auto job = place_.job<Job>("float", 30);
    job.model = {.vocabulary_size = 300,
                 .hidden_size = 32,
                 .layers = 2,
                 .heads = 4,
                 .kv_heads = 2,
                 .head_dim = 8,
                 .intermediate_size = 64,
                 .max_positions = 64};
    job.training.learning_rate = 1e-2;
    Recorder recorder;
    fine_tune(job, recorder.hooks());
    float_model_ = job.output;
  }

  QuantizationAwareJob job(const std::string& name, std::int64_t steps) {
    QuantizationAwareJob job;
    DistillLoopJob distillation = distill_job(place_, name, steps, float_model_, loss_);
    distillation.student = float_model_;
    distillation.training.learning_rate = 2e-3;
    job.distillation = distillation;
    job.grid.quantizer = PlainInt4::component();
    return job;
  }

  static model::LinearWeight linear(const model::ModelFolder& folder) {
    return folder.linear("model.layers.1.mlp.up_proj");
  }

  Workplace place_;
  FakeDistill loss_;
  fs::path float_model_;
};

TEST_F(QuantizationAware, LearnsCodesAndScalesThatTheRuntimeComputesWith) {
  const QuantizationAwareJob learned = job("learned", 40);
  Recorder recorder;
  train_quantized(learned, recorder.hooks());
  const std::vector<double>& losses = recorder.metrics["loss"];
  ASSERT_EQ(losses.size(), 40U);
  EXPECT_LT(losses.back() + losses[38] + losses[37], 0.5 * (losses[0] + losses[1] + losses[2]))
      << "distance to the float model, from " << losses.front() << " to " << losses.back();

  const model::ModelFolder folder(learned.distillation.output), grid(learned.distillation.work / "grid");
  EXPECT_EQ(folder.config_json().at("quantization_config"), grid.config_json().at("quantization_config"));
  EXPECT_EQ(linear(folder).bits, 4);
  EXPECT_EQ(linear(folder).group_size, 32);
  EXPECT_NE(model::to_f32(*linear(folder).scale), model::to_f32(*linear(grid).scale)) << "step sizes learn";
  EXPECT_NE(model::codes_of(linear(folder)), model::codes_of(linear(grid)));

  // The runtime on codes is the module on what they restore, which is what was trained.
  const std::unique_ptr<DecoderModule> module = load_decoder(folder);
  std::vector<text::TokenId> tokens;
  for (int i = 0; i < 30; ++i) tokens.push_back((i * 37 + 11) % 300);
  runtime::Decoder served(folder, {});
  const std::vector<float> found = served.forward_all(tokens);
  const torch::NoGradGuard no_grad;
  const Tensor expected = module->logits(
      module->hidden(torch::tensor(std::vector<std::int64_t>(tokens.begin(), tokens.end())).unsqueeze(0)).squeeze(0));
  const Tensor other = torch::from_blob(const_cast<float*>(found.data()), expected.sizes());
  EXPECT_LT(((other - expected).square().mean().sqrt() / expected.square().mean().sqrt()).item<double>(), 5e-4);
}

TEST_F(QuantizationAware, FixedScalesStay) {
  QuantizationAwareJob fixed = job("fixed", 6);
  fixed.learn_scales = false;
  Recorder recorder;
  train_quantized(fixed, recorder.hooks());
  const model::ModelFolder folder(fixed.distillation.output), grid(fixed.distillation.work / "grid");
  EXPECT_EQ(model::to_f32(*linear(folder).scale), model::to_f32(*linear(grid).scale));
  EXPECT_NE(model::codes_of(linear(folder)), model::codes_of(linear(grid)));
}

TEST_F(QuantizationAware, AKilledRunEndsWithTheSameBytes) {
  QuantizationAwareJob whole = job("whole", 8), killed = job("killed", 8);
  whole.distillation.training.checkpoint_steps = killed.distillation.training.checkpoint_steps = 2;
  Recorder undisturbed, first, second;
  train_quantized(whole, undisturbed.hooks());
  first.stop_before = 5;
  EXPECT_THROW(train_quantized(killed, first.hooks()), Stop);
  train_quantized(killed, second.hooks());
  EXPECT_LT(second.metrics["loss"].size(), 8U) << "it goes on, it does not begin again";
  EXPECT_EQ(place_.bytes_of(whole.distillation), place_.bytes_of(killed.distillation));
}

TEST_F(QuantizationAware, LearnsOnAnotherDeviceAsOnTheCpu) {
  use_stand_in_device();
  std::vector<std::vector<double>> losses;
  for (const char* device : {"cpu", "stand_in"}) {
    QuantizationAwareJob on = job(device, 2);  // later steps may round a code otherwise
    on.distillation.training.device = device;
    on.distillation.training.optimizer = "adafactor";  // AdamW's first step goes by signs
    Recorder recorder;
    train_quantized(on, recorder.hooks());
    losses.push_back(recorder.metrics["loss"]);
    EXPECT_TRUE(model::ModelFolder(on.distillation.output).quantized());
  }
  ASSERT_EQ(losses[0].size(), 2U);
  for (std::size_t step = 0; step < 2; ++step) EXPECT_NEAR(losses[0][step], losses[1][step], 1e-4);
}

TEST_F(QuantizationAware, AQuantizerThatSmoothsIsRefused) {
  QuantizationAwareJob smoothed = job("smoothed", 1);
  smoothed.grid.quantizer = PlainInt4::component(true);
  Recorder recorder;
  try {
    train_quantized(smoothed, recorder.hooks());
    FAIL() << "was trained";
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("input_layernorm.weight"), std::string::npos) << error.what();
  }
}

TEST_F(QuantizationAware, AQuantisedStudentIsRefused) {
  QuantizationAwareJob once = job("once", 1);
  Recorder recorder;
  train_quantized(once, recorder.hooks());
  QuantizationAwareJob again = job("again", 1);
  again.distillation.student = once.distillation.output;
  EXPECT_THROW(train_quantized(again, recorder.hooks()), std::invalid_argument);
}

}  // namespace
}  // namespace retort::train
