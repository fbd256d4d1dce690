// stage.quantize's work with a quantizer that is written here from its definition: what lands in the folder.
#include "train/quantization.h"

#include <gtest/gtest.h>
#include <retort/abi/quantizer.h>

#include <cmath>
#include <map>

#include "model/model_folder.h"
#include "runtime/markov_model.h"
#include "runtime/random_model.h"
#include "train/model_weights.h"

namespace retort::train {
namespace {

using runtime::testing::TemporaryFolder;

/// Symmetric rounding to nearest in plain loops. `instance` is one of these.
struct PlainQuantizer {
  std::int32_t bits = 4;
  std::int64_t group_size = 32;
  std::int32_t symmetric = 1;
  std::int8_t spoiled_code = 0;  ///< written as the first code, if not 0

  static retort_error* requirements(retort_instance* /*instance*/, retort_quantize_requirements* /*out*/) {
    return nullptr;
  }

  static retort_error* scheme(retort_instance* instance, const retort_site* /*site*/, retort_quantize_scheme* out) {
    const auto* self = reinterpret_cast<const PlainQuantizer*>(instance);
    out->bits = self->bits;
    out->symmetric = self->symmetric;
    out->group_size = self->group_size;
    return nullptr;
  }

  static retort_error* quantize(retort_instance* instance, const retort_site* site, std::uint64_t module,
                                const retort_quantize_scheme* /*scheme*/, const retort_quantize_output* output,
                                const retort_metric_sink* /*metrics*/) {
    const auto* self = reinterpret_cast<const PlainQuantizer*>(instance);
    const std::int64_t rows = site->modules[module].rows, columns = site->columns;
    const auto* weight = static_cast<const float*>(site->modules[module].weight->data);
    auto* codes = static_cast<std::int8_t*>(output->codes->data);
    auto* scales = static_cast<float*>(output->scales->data);
    const std::int64_t width = self->group_size > 0 ? self->group_size : columns;
    const double most = std::exp2(self->bits - 1) - 1;
    for (std::int64_t begin = 0; begin < rows * columns; begin += width) {
      double largest = 0;
      for (std::int64_t i = begin; i < begin + width; ++i)
        largest = std::max(largest, std::abs(static_cast<double>(weight[i])));
      scales[begin / width] = static_cast<float>(largest / most);
      for (std::int64_t i = begin; i < begin + width; ++i)
        codes[i] = static_cast<std::int8_t>(std::nearbyint(weight[i] / (largest / most)));
    }
    if (self->spoiled_code != 0) codes[0] = self->spoiled_code;
    return nullptr;
  }

  retort_bound_component component() {
    static const retort_quantizer_v1 functions = {
        RETORT_QUANTIZER_V1_SIZE, 0, &requirements, &scheme, nullptr, &quantize};
    return {sizeof(retort_bound_component),           0,         {"algorithm", 9}, {"quantize.plain", 14},
            reinterpret_cast<retort_instance*>(this), &functions};
  }
};

/// A job on a model of random weights, D 64.
class Quantization : public ::testing::Test {
 protected:
  void write_float_model(std::int64_t intermediate, bool tied) {
    runtime::testing::write_markov_model(job_.model, {});  // tokenizer and task; config and weights are replaced
    config_.vocabulary_size = model::ModelFolder(job_.model).config().vocabulary_size;
    config_.hidden_size = 64;
    config_.intermediate_size = intermediate;
    config_.layers = config_.heads = config_.kv_heads = 1;
    config_.head_dim = 32;
    config_.max_positions = 64;
    config_.tie_word_embeddings = tied;
    weights_ = runtime::testing::random_weights(config_, 3);
    runtime::testing::write_model(job_.model, config_, weights_, runtime::testing::Storage::f32);
  }

  model::ModelFolder quantized(PlainQuantizer quantizer) {
    log_.clear();
    metrics_.clear();
    job_.quantizer = quantizer.component();
    const RunHooks hooks = {
        [this](std::string_view name, std::int64_t, double value) { metrics_[std::string(name)] = value; },
        [](std::string_view, std::int64_t, std::int64_t, std::string_view) {}, [] {},
        [this](std::string_view message) { log_.emplace_back(message); }};
    quantize(job_, hooks);
    return model::ModelFolder(job_.output);
  }

  std::string refusal(const PlainQuantizer& quantizer) {
    try {
      quantized(quantizer);
    } catch (const std::exception& error) {
      return error.what();
    }
    return "accepted";
  }

  /// Half a step of a group's scale, and the rounding of the scale to f32.
  void expect_near(const model::LinearWeight& weight, const std::string& name) const {
    const std::vector<float> restored = model::to_f32(weight), scales = model::to_f32(*weight.scale);
    const std::vector<float>& original = weights_.at(name + ".weight");
    ASSERT_EQ(restored.size(), original.size());
    const auto width = static_cast<std::size_t>(weight.group_size > 0 ? weight.group_size : weight.shape[1]);
    for (std::size_t i = 0; i < original.size(); ++i)
      ASSERT_LE(std::abs(restored[i] - original[i]), scales[i / width] * 0.5001F) << name << " " << i;
  }

  TemporaryFolder root_;
  QuantizationJob job_{.model = root_.path() / "float", .output = root_.path() / "quantized"};
  model::ModelConfig config_;
  runtime::testing::Weights weights_;
  std::map<std::string, double> metrics_;
  std::vector<std::string> log_;
};

TEST_F(Quantization, WritesInt4LayersAndAnInt8Embedding) {
  write_float_model(96, true);
  const model::ModelFolder folder = quantized({.bits = 4, .group_size = 32});
  for (const char* name : {"self_attn.q_proj", "self_attn.o_proj", "mlp.gate_proj", "mlp.down_proj"}) {
    const std::string module = std::string("model.layers.0.") + name;
    EXPECT_EQ(folder.linear(module).bits, 4) << name;
    EXPECT_EQ(folder.linear(module).group_size, 32) << name;
    expect_near(folder.linear(module), module);
  }
  EXPECT_EQ(folder.head().bits, 8);
  expect_near(folder.head(), "model.embed_tokens");
  EXPECT_TRUE(log_.empty());
  // A uniform error of half a step at most: 1/(7·sqrt(12)) of a group's largest weight, which is about 2 deviations.
  EXPECT_GT(metrics_.at("weight_error"), 0.05);
  EXPECT_LT(metrics_.at("weight_error"), 0.12);
  const CallModule loaded = load_call_module(job_.output);
  EXPECT_EQ(loaded.decoder->config(), config_);
}

TEST_F(Quantization, MakesLayersThatTheGroupDoesNotDivideInt8AndSaysSo) {
  write_float_model(80, false);
  const model::ModelFolder folder = quantized({.bits = 4, .group_size = 64});
  EXPECT_EQ(folder.linear("model.layers.0.mlp.up_proj").bits, 4);
  const model::LinearWeight down = folder.linear("model.layers.0.mlp.down_proj");  // 80 columns
  EXPECT_EQ(down.bits, 8);
  expect_near(down, "model.layers.0.mlp.down_proj");
  EXPECT_EQ(folder.linear("model.layers.0.self_attn.o_proj").bits, 8);  // 32 columns
  ASSERT_EQ(log_.size(), 2U);
  EXPECT_EQ(log_[1],
            "model.layers.0.mlp.down_proj: its input columns are no multiple of group_size 64, so it becomes int8 per "
            "channel");
  EXPECT_EQ(folder.head().bits, 8);
  EXPECT_EQ(folder.config_json().at("quantization_config").at("format"), "mixed-precision");
}

TEST_F(Quantization, WritesEveryMatrixInInt4WhenPure) {
  job_.storage.pure = true;
  for (const bool tied : {true, false}) {
    write_float_model(96, tied);
    const model::ModelFolder folder = quantized({.bits = 4, .group_size = 32});
    for (const std::string module : {"model.embed_tokens", tied ? "model.embed_tokens" : "lm_head"}) {
      EXPECT_EQ(folder.linear(module).bits, 4) << module;
      EXPECT_EQ(folder.linear(module).group_size, 32) << module;
      expect_near(folder.linear(module), module);
    }
    EXPECT_TRUE(log_.empty());
    const nlohmann::json& config = folder.config_json().at("quantization_config");
    EXPECT_EQ(config.at("format"), "pack-quantized");
    EXPECT_EQ(config.at("config_groups").size(), 2U);
    EXPECT_TRUE(config.at("ignore").empty());
    EXPECT_EQ(load_call_module(job_.output).decoder->config(), config_);
  }
}

TEST_F(Quantization, LeavesOutOfAPureModelWhatItIsAskedTo) {
  write_float_model(96, false);
  job_.storage.pure = true;
  job_.storage.head = false;
  EXPECT_EQ(quantized({.bits = 4, .group_size = 32}).head().bits, 0);
  job_.storage.head = true;
  job_.storage.embedding = false;
  const model::ModelFolder folder = quantized({.bits = 4, .group_size = 32});
  EXPECT_EQ(folder.head().bits, 4);
  EXPECT_EQ(folder.linear("model.embed_tokens").bits, 0);
}

TEST_F(Quantization, MakesAPureModelsEmbeddingInt8WhereTheGroupDoesNotDivideItAndSaysSo) {
  write_float_model(128, true);  // 128 columns in down_proj, 64 in the embedding
  job_.storage.pure = true;
  const model::ModelFolder folder = quantized({.bits = 4, .group_size = 128});
  EXPECT_EQ(folder.linear("model.layers.0.mlp.down_proj").bits, 4);
  EXPECT_EQ(folder.head().bits, 8);
  expect_near(folder.head(), "model.embed_tokens");
  EXPECT_NE(std::find(log_.begin(), log_.end(),
                      "model.embed_tokens: its input columns are no multiple of group_size 128, so it becomes int8 per "
                      "channel"),
            log_.end());
}

TEST_F(Quantization, LeavesEmbeddingAndHeadInFloatWhenAsked) {
  write_float_model(96, false);
  job_.storage.embedding = job_.storage.head = false;
  for (const PlainQuantizer& quantizer : {PlainQuantizer{.bits = 4, .group_size = 32}, {.bits = 8, .group_size = 0}}) {
    const model::ModelFolder folder = quantized(quantizer);
    EXPECT_EQ(folder.linear("model.embed_tokens").bits, 0);
    EXPECT_EQ(folder.head().bits, 0);
    EXPECT_EQ(folder.linear("model.layers.0.mlp.down_proj").bits, quantizer.bits);
  }
}

TEST_F(Quantization, SaysWhatInt8WeightsAreMultipliedBy) {
  write_float_model(96, false);
  for (const int bits : {0, 8}) {
    job_.storage.activation_bits = bits;
    const model::ModelFolder opened = quantized({.bits = 8, .group_size = 0});
    EXPECT_EQ(opened.linear("model.layers.0.mlp.up_proj").activation_bits, bits);
    EXPECT_EQ(opened.head().activation_bits, bits);
  }
}

TEST_F(Quantization, RefusesWhatTheFormatDoesNotHold) {
  write_float_model(48, true);
  EXPECT_NE(refusal({.bits = 4, .group_size = 128}).find("no layer's input columns are a multiple of group_size 128"),
            std::string::npos);
  for (const PlainQuantizer& other : {PlainQuantizer{.bits = 4, .group_size = 0},
                                      {.bits = 3, .group_size = 32},
                                      {.bits = 8, .group_size = 32},
                                      {.bits = 8, .group_size = 0, .symmetric = 0}}) {
    const std::string message = refusal(other);
    EXPECT_NE(message.find("quantize.plain asks for "), std::string::npos) << message;
    EXPECT_NE(message.find(" for model.layers.0.self_attn.qkv; "), std::string::npos) << message;
    EXPECT_NE(message.find("4 bits, symmetric or not, in groups of 32, 64 or 128"), std::string::npos) << message;
  }
  EXPECT_NE(refusal({.bits = 4, .group_size = 32, .spoiled_code = 8}).find("outside -8 to 7"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(job_.output / "config.json"));
}

}  // namespace
}  // namespace retort::train
