// stage.sparsify's work with a sparsifier that is written here from its definition.
#include "train/sparsification.h"

#include <retort/abi/sparsifier.h>

#include <cmath>

#include "train/compression_fixture.h"
#include "train/model_weights.h"

namespace retort::train {
namespace {

/// Drops the weights of every row whose |w|·‖x_j‖ is below the row's median, and doubles the others.
struct HalfSparsifier {
  std::uint64_t signals = RETORT_SIGNAL_INPUT_SQUARE_SUM;
  std::int64_t samples = 20;
  bool unwritten = false;
  std::vector<std::string> modules;
  std::vector<std::int64_t> rows;

  static HalfSparsifier& self(retort_instance* instance) { return *reinterpret_cast<HalfSparsifier*>(instance); }
  static retort_error* requirements(retort_instance* instance, retort_sparsify_requirements* out) {
    out->signals = self(instance).signals;
    out->samples = self(instance).samples;
    return nullptr;
  }
  static retort_error* sparsify(retort_instance* instance, const retort_site* site, std::uint64_t index,
                                const retort_sparsify_output* output, const retort_metric_sink* metrics) {
    const retort_site_module& module = site->modules[index];
    self(instance).modules.emplace_back(module.name.data, module.name.size);
    self(instance).rows.push_back(site->statistics == nullptr ? 0 : site->statistics->rows);
    const auto* weight = static_cast<const float*>(module.weight->data);
    const auto* squares =
        site->statistics == nullptr ? nullptr : static_cast<const float*>(site->statistics->square_sum->data);
    auto* mask = static_cast<std::uint8_t*>(output->mask->data);
    auto* written = static_cast<float*>(output->weight->data);
    for (std::int64_t row = 0; row < module.rows; ++row) {
      std::vector<double> scores;
      for (std::int64_t i = 0; i < module.columns; ++i)
        scores.push_back(std::abs(weight[row * module.columns + i]) * (squares == nullptr ? 1 : std::sqrt(squares[i])));
      std::vector<double> sorted = scores;
      std::nth_element(sorted.begin(), sorted.begin() + module.columns / 2, sorted.end());
      const double median = sorted[static_cast<std::size_t>(module.columns / 2)];
      for (std::int64_t i = 0; i < module.columns; ++i) {
        const std::int64_t at = row * module.columns + i;
        mask[at] = scores[static_cast<std::size_t>(i)] < median ? 0 : 1;
        if (!self(instance).unwritten || at != 5) written[at] = 2 * weight[at];
        if (self(instance).unwritten && at == 5) mask[at] = 1;
      }
    }
    metrics->metric(metrics->context, {"sparsity", 8}, 0.5);
    return nullptr;
  }
  static const retort_sparsifier_v1& table() {
    static const retort_sparsifier_v1 functions = {RETORT_SPARSIFIER_V1_SIZE, 0, &requirements, &sparsify};
    return functions;
  }
};

class Sparsification : public CompressionJobTest {
 protected:
  void run(HalfSparsifier& sparsifier, bool with_data = true) {
    SparsificationJob job{
        .model = model_, .sparsifier = bound("sparsify.half", &sparsifier, HalfSparsifier::table()), .output = output_};
    if (with_data) job.dataset = dataset_;
    sparsify(job, hooks());
  }
};

TEST_F(Sparsification, WritesZerosWhereTheMaskSaysAndNewWeightsElsewhere) {
  write_model();
  HalfSparsifier sparsifier;
  run(sparsifier);
  const model::ModelFolder folder(output_);
  EXPECT_EQ(folder.config(), config_);
  EXPECT_FALSE(folder.quantized());
  EXPECT_EQ(load_call_module(output_).decoder->config(), config_);
  for (const auto& [name, shape] : model::tensor_shapes(config_)) {
    const std::vector<float> found = model::to_f32(folder.tensor(name)), before = weights_.at(name);
    const bool sparse = name.find("_proj.weight") != std::string::npos;
    std::size_t zeros = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      zeros += found[i] == 0 ? 1 : 0;
      const bool expected = sparse ? found[i] == 0 || found[i] == 2 * before[i] : found[i] == before[i];
      ASSERT_TRUE(expected) << name << " " << i;
    }
    if (sparse) {
      EXPECT_EQ(2 * zeros, found.size()) << name;
    }
  }
  EXPECT_DOUBLE_EQ(figures_.at("sparsity"), 0.5);
  EXPECT_EQ(sparsifier.modules.size(), 21U);
  for (const std::int64_t rows : sparsifier.rows) EXPECT_EQ(rows, 20);
  EXPECT_EQ(lines_.at("sparsity").size(), 21U);
}

TEST_F(Sparsification, NeedsNoDataWhereTheSparsifierAsksForNone) {
  write_model();
  HalfSparsifier sparsifier{.signals = 0, .samples = 0};
  run(sparsifier, false);
  EXPECT_EQ(sparsifier.rows, std::vector<std::int64_t>(21, 0));
}

TEST_F(Sparsification, RefusesBeforeWorkAndSaysWhy) {
  write_model();
  HalfSparsifier sparsifier;
  EXPECT_NE(message_of([&] { run(sparsifier, false); }).find("sparsify.half wants calibration data"),
            std::string::npos);
  sparsifier.signals = RETORT_SIGNAL_TOKEN_REWARDS;
  EXPECT_NE(message_of([&] { run(sparsifier); }).find("sparsify.half asks for TOKEN_REWARDS"), std::string::npos);
  sparsifier = {.samples = 0};
  EXPECT_NE(message_of([&] { run(sparsifier); }).find("0 calibration rows"), std::string::npos);
  EXPECT_TRUE(sparsifier.modules.empty());
}

TEST_F(Sparsification, RefusesAWeightThatWasNotWritten) {
  write_model();
  HalfSparsifier sparsifier{.unwritten = true};
  EXPECT_NE(message_of([&] {
              run(sparsifier);
            }).find("sparsify.half, model.layers.0.self_attn.q_proj, row 0, column 5: expected a finite weight"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(output_ / "config.json"));
}

}  // namespace
}  // namespace retort::train
