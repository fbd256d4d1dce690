// stage.quantize's work site by site: schemes that differ, zero points, scales below 0, smoothing and statistics, with
// a quantizer that is written here from its definition.
#include <retort/abi/quantizer.h>
#include <torch/types.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>

#include "train/agreement.h"
#include "train/compression_fixture.h"
#include "train/model_weights.h"
#include "train/quantization.h"
#include "train/sensitivity.h"
#include "train/token_loss.h"

namespace retort::train {
namespace {

struct Scheme {
  std::int32_t bits = 8, symmetric = 1;
  std::int64_t group_size = 0;
};

/// Rounds to the nearest in plain loops, as its scheme says; scales of odd groups are negative where a scheme is
/// symmetric. Factors are what the test says.
struct SiteQuantizer {
  std::function<Scheme(const std::string& site)> scheme_of = [](const std::string&) { return Scheme{}; };
  std::function<float(const std::string& site, std::int64_t channel)> factor_of;  ///< empty: no smoothing
  bool short_scales = false;                                                      ///< powers of two, which bf16 holds
  std::uint64_t signals = 0;
  std::int64_t samples = 0;
  std::vector<std::string> smoothed, quantized;
  std::vector<std::int64_t> rows;

  static SiteQuantizer& self(retort_instance* instance) { return *reinterpret_cast<SiteQuantizer*>(instance); }
  static std::string name_of(const retort_site& site) { return {site.name.data, site.name.size}; }

  static retort_error* requirements(retort_instance* instance, retort_quantize_requirements* out) {
    out->signals = self(instance).signals;
    out->samples = self(instance).samples;
    return nullptr;
  }
  static retort_error* scheme(retort_instance* instance, const retort_site* site, retort_quantize_scheme* out) {
    const Scheme scheme = self(instance).scheme_of(name_of(*site));
    out->bits = scheme.bits;
    out->symmetric = scheme.symmetric;
    out->group_size = scheme.group_size;
    return nullptr;
  }
  static retort_error* smooth(retort_instance* instance, const retort_site* site, const retort_tensor* factors,
                              const retort_metric_sink*) {
    self(instance).smoothed.push_back(name_of(*site) + "/" + std::to_string(site->module_count));
    for (std::int64_t i = 0; i < site->columns; ++i)
      static_cast<float*>(factors->data)[i] = self(instance).factor_of(name_of(*site), i);
    return nullptr;
  }
  static retort_error* quantize(retort_instance* instance, const retort_site* site, std::uint64_t index,
                                const retort_quantize_scheme* scheme, const retort_quantize_output* output,
                                const retort_metric_sink* metrics) {
    const retort_site_module& module = site->modules[index];
    self(instance).quantized.emplace_back(module.name.data, module.name.size);
    self(instance).rows.push_back(site->statistics == nullptr ? 0 : site->statistics->rows);
    const auto* weight = static_cast<const float*>(module.weight->data);
    const std::int64_t width = scheme->group_size > 0 ? scheme->group_size : module.columns;
    const double levels = std::exp2(scheme->bits) - 1;
    for (std::int64_t begin = 0, group = 0; begin < module.rows * module.columns; begin += width, ++group) {
      double low = 0, high = 0;
      for (std::int64_t i = begin; i < begin + width; ++i) {
        low = std::min(low, double{weight[i]});
        high = std::max(high, double{weight[i]});
      }
      const bool symmetric = scheme->symmetric != 0;
      double scale = symmetric ? std::max(-low, high) / std::floor(levels / 2) : (high - low) / levels;
      if (self(instance).short_scales) scale = std::exp2(std::ceil(std::log2(scale)));
      if (symmetric && group % 2 == 1) scale = -scale;
      const double zero = symmetric ? 0 : std::clamp(std::nearbyint(-low / scale), 0.0, levels);
      static_cast<float*>(output->scales->data)[group] = static_cast<float>(scale);
      if (!symmetric) static_cast<std::int32_t*>(output->zero_points->data)[group] = static_cast<std::int32_t>(zero);
      for (std::int64_t i = begin; i < begin + width; ++i) {
        const double code = std::nearbyint(weight[i] / scale) + zero;
        if (symmetric)
          static_cast<std::int8_t*>(output->codes->data)[i] = static_cast<std::int8_t>(code);
        else
          static_cast<std::uint8_t*>(output->codes->data)[i] = static_cast<std::uint8_t>(std::clamp(code, 0.0, levels));
      }
    }
    metrics->metric(metrics->context, {"rows_done", 9}, static_cast<double>(module.rows));
    return nullptr;
  }
  const retort_quantizer_v1& table() const {
    static const retort_quantizer_v1 plain = {RETORT_QUANTIZER_V1_SIZE, 0, &requirements, &scheme, nullptr, &quantize};
    static const retort_quantizer_v1 smoothing = {
        RETORT_QUANTIZER_V1_SIZE, 0, &requirements, &scheme, &smooth, &quantize};
    return factor_of ? smoothing : plain;
  }
};

bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

class SiteQuantization : public CompressionJobTest {
 protected:
  void run(SiteQuantizer& quantizer) {
    QuantizationJob job{.model = model_, .output = output_};
    job.quantizer = bound("quantize.sites", &quantizer, quantizer.table());
    if (quantizer.signals != 0) job.dataset = dataset_;
    job.storage = storage_;
    quantize(job, hooks());
  }
  /// Every weight is within half a step of what it was.
  void expect_near(const model::ModelFolder& folder, const std::string& module) const {
    const model::LinearWeight weight = folder.linear(module);
    const std::vector<float> restored = model::to_f32(weight), scales = model::to_f32(*weight.scale);
    const std::vector<float>& original = weights_.at(module + ".weight");
    const auto width = static_cast<std::size_t>(weight.group_size > 0 ? weight.group_size : weight.shape[1]);
    for (std::size_t i = 0; i < original.size(); ++i)
      ASSERT_LE(std::abs(restored[i] - original[i]), std::abs(scales[i / width]) * 0.502F) << module << " " << i;
  }
  /// The runtime, which computes on the codes, says what LibTorch says with the restored weights.
  void expect_runs() {
    AgreementJob job{
        .model = output_, .dataset = dataset_, .work = dataset_.parent_path(), .split = "train", .max_new_tokens = 8};
    EXPECT_EQ(agreement(job, hooks()).at("same_tokens"), 1.0);
  }
  StorageOptions storage_;
};

TEST_F(SiteQuantization, MixesBitsZeroPointsAndSignsOfScales) {
  write_model("LlamaForCausalLM", false);
  SiteQuantizer quantizer;
  quantizer.scheme_of = [](const std::string& site) -> Scheme {
    if (ends_with(site, "layers.1.self_attn.qkv")) return {8, 1, 0};
    if (ends_with(site, "mlp.gate_up")) return {4, 0, 64};
    if (ends_with(site, "layers.2.mlp.down")) return {0, 1, 0};
    return {4, 1, 32};
  };
  run(quantizer);
  const model::ModelFolder folder(output_);
  const auto linear = [&](const char* name) { return folder.linear(name); };
  for (const char* name : {"q_proj", "k_proj", "v_proj"}) {
    EXPECT_EQ(linear(("model.layers.0.self_attn." + std::string(name)).c_str()).bits, 4);
    EXPECT_EQ(linear(("model.layers.1.self_attn." + std::string(name)).c_str()).bits, 8);
  }
  EXPECT_EQ(linear("model.layers.2.mlp.down_proj").bits, 0);
  EXPECT_NE(linear("model.layers.0.mlp.gate_proj").zero_point, nullptr);
  EXPECT_EQ(linear("model.layers.0.mlp.gate_proj").group_size, 64);
  EXPECT_EQ(linear("model.layers.0.mlp.down_proj").zero_point, nullptr);
  for (const LinearSite& site : linear_sites(config_))
    for (const std::string& module : site.modules)
      if (folder.linear(module).bits != 0) expect_near(folder, module);
  const std::vector<float> scales = model::to_f32(*folder.linear("model.layers.0.self_attn.o_proj").scale);
  EXPECT_GT(scales[0], 0);
  EXPECT_LT(scales[1], 0);
  expect_runs();
}

TEST_F(SiteQuantization, PacksZeroPointsAsCompressedTensorsDoes) {
  write_model("LlamaForCausalLM", true);
  SiteQuantizer quantizer;
  quantizer.scheme_of = [](const std::string&) { return Scheme{4, 0, 32}; };
  run(quantizer);
  const model::ModelFolder folder(output_);
  const model::StoredTensor& packed = folder.tensor("model.layers.0.mlp.up_proj.weight_zero_point");
  ASSERT_EQ(packed.shape, (std::vector<std::int64_t>{16, 2}));  // 128 rows, eight in a word; two groups
  const std::vector<float>& weight = weights_.at("model.layers.0.mlp.up_proj.weight");
  // Row 11 of group 1: word 1 of that column, bits 12 to 15.
  double low = 0, high = 0;
  for (std::size_t i = 11 * 64 + 32; i < 11 * 64 + 64; ++i) {
    low = std::min(low, double{weight[i]});
    high = std::max(high, double{weight[i]});
  }
  std::uint32_t word = 0;
  std::memcpy(&word, packed.data + (1 * 2 + 1) * 4, sizeof word);
  EXPECT_EQ((word >> 12) & 15U, static_cast<std::uint32_t>(std::nearbyint(-low / ((high - low) / 15))));
  expect_runs();
  const nlohmann::json& groups = folder.config_json().at("quantization_config").at("config_groups");
  EXPECT_EQ(groups.at("group_0").at("weights").at("symmetric"), false);
}

TEST_F(SiteQuantization, SmoothsOnceASharedInputAndBarelyChangesTheModel) {
  write_model("Qwen2ForCausalLM", false);
  const CallModule before = load_call_module(model_);
  SiteQuantizer quantizer;  // 8 bits per channel
  quantizer.factor_of = [](const std::string& site, std::int64_t i) {
    const std::int64_t channel = ends_with(site, ".o") ? i / 32 * 16 + i % 16 : i;  // alike for heads 0, 1 and 2, 3
    return 0.5F + 0.25F * static_cast<float>(channel % 7);
  };
  run(quantizer);
  const CallModule after = load_call_module(output_);
  const torch::Tensor ids = torch::tensor({{5, 9, 30, 7, 12, 40}}, torch::kInt64);
  torch::NoGradGuard no_grad;
  const torch::Tensor expected = before.decoder->logits(before.decoder->hidden(ids)[0]);
  const torch::Tensor found = after.decoder->logits(after.decoder->hidden(ids)[0]);
  // 8 bits per channel cost about 1/(127·√12)·3 of every product; a factor in the wrong place costs the whole output.
  EXPECT_LT((found - expected).norm().item<double>(), 0.05 * expected.norm().item<double>());
  EXPECT_EQ(std::count(quantizer.smoothed.begin(), quantizer.smoothed.end(), "model.layers.0.self_attn.qkv/3"), 1);
  EXPECT_EQ(std::count(quantizer.smoothed.begin(), quantizer.smoothed.end(), "model.layers.2.mlp.gate_up/2"), 1);
  EXPECT_EQ(quantizer.smoothed.size(), 13U);  // four sites of three layers, and the head
  EXPECT_FALSE(torch::allclose(after.decoder->weight("model.layers.0.input_layernorm.weight"),
                               before.decoder->weight("model.layers.0.input_layernorm.weight")));
}

TEST_F(SiteQuantization, DoesNotSmoothATiedHead) {
  write_model("LlamaForCausalLM", true);
  SiteQuantizer quantizer;
  quantizer.factor_of = [](const std::string&, std::int64_t) { return 2.0F; };
  run(quantizer);
  EXPECT_EQ(quantizer.smoothed.size(), 12U);
}

TEST_F(SiteQuantization, RefusesFactorsThatHeadsOfOneValueDoNotShare) {
  write_model();
  SiteQuantizer quantizer;
  quantizer.factor_of = [](const std::string&, std::int64_t i) { return 1.0F + static_cast<float>(i); };
  const std::string message = message_of([&] { run(quantizer); });
  EXPECT_NE(message.find("quantize.sites, smoothing of model.layers.0.self_attn.o: channels 0 and 16"),
            std::string::npos)
      << message;
  quantizer.factor_of = [](const std::string&, std::int64_t) { return -1.0F; };
  EXPECT_NE(message_of([&] { run(quantizer); }).find("expected a positive finite number"), std::string::npos);
}

TEST_F(SiteQuantization, HandsOutStatisticsAndRecordsTheQuantizersFigures) {
  write_model();
  SiteQuantizer quantizer;
  quantizer.signals = RETORT_SIGNAL_INPUT_HESSIAN;
  quantizer.samples = 17;
  run(quantizer);
  EXPECT_EQ(quantizer.quantized.size(), 22U);  // seven matrices of three layers, and the tied head
  EXPECT_EQ(quantizer.quantized.back(), "model.embed_tokens");
  for (const std::int64_t rows : quantizer.rows) EXPECT_EQ(rows, 17);
  EXPECT_EQ(lines_.at("rows_done").size(), 22U);
  EXPECT_GT(figures_.at("rows_done"), 64);
}

TEST_F(SiteQuantization, RoundsAnEmbeddingOfItsOwnItselfWhereTheQuantizerCalibrates) {
  write_model("LlamaForCausalLM", false);
  SiteQuantizer quantizer;
  quantizer.signals = RETORT_SIGNAL_INPUT_SQUARE_SUM;
  quantizer.samples = 10;
  storage_.pure = true;
  quantizer.scheme_of = [](const std::string&) { return Scheme{4, 1, 32}; };
  run(quantizer);
  const model::ModelFolder folder(output_);
  EXPECT_EQ(folder.linear("model.embed_tokens").bits, 8);
  EXPECT_EQ(folder.linear("lm_head").bits, 4);
  expect_near(folder, "model.embed_tokens");
  EXPECT_EQ(std::count(quantizer.quantized.begin(), quantizer.quantized.end(), "model.embed_tokens"), 0);
  ASSERT_EQ(log_.size(), 1U);
  EXPECT_NE(log_[0].find("model.embed_tokens: a look-up has no input to calibrate on"), std::string::npos);
}

TEST_F(SiteQuantization, RefusesBeforeWorkAndSaysWhy) {
  write_model();
  SiteQuantizer quantizer;
  quantizer.scheme_of = [](const std::string& site) {
    return ends_with(site, "1.mlp.down") ? Scheme{3, 1, 32} : Scheme{};
  };
  const std::string message = message_of([&] { run(quantizer); });
  EXPECT_NE(message.find("quantize.sites asks for symmetric 3 bits in groups of 32 for model.layers.1.mlp.down;"),
            std::string::npos)
      << message;
  quantizer = {};
  quantizer.signals = RETORT_SIGNAL_HIDDEN_NORMS;
  EXPECT_NE(message_of([&] { run(quantizer); }).find("quantize.sites asks for HIDDEN_NORMS"), std::string::npos);
  quantizer.signals = RETORT_SIGNAL_INPUT_HESSIAN;
  EXPECT_NE(message_of([&] { run(quantizer); }).find("0 calibration rows"), std::string::npos);
  EXPECT_TRUE(quantizer.quantized.empty());
}

TEST_F(SiteQuantization, MeasuresWhatEachLayersCodesCost) {
  write_model("LlamaForCausalLM", true);
  SiteQuantizer quantizer;  // layer 1 in 2 bits, the others in 8, which cost nearly nothing
  quantizer.scheme_of = [](const std::string& site) {
    return site.find("layers.1.") == std::string::npos ? Scheme{} : Scheme{2, 1, 32};
  };
  SensitivityJob job;
  job.model = model_, job.dataset = dataset_, job.split = "train";
  job.quantizer = bound("quantize.sites", &quantizer, quantizer.table());
  const nlohmann::json found = sensitivity(job, hooks());
  const CallModule module = load_call_module(model_);
  const std::vector<Sequence> data = to_sequences(task::read_split(dataset_ / "train.jsonl").examples, module.contract,
                                                  module.tokenizer, config_.max_positions);
  const double loss = mean_token_loss(*module.decoder, data);
  EXPECT_NEAR(found.at("loss").get<double>(), loss, 1e-6);
  EXPECT_NEAR(found.at("perplexity").get<double>(), std::exp(loss), 1e-4);
  ASSERT_EQ(found.at("layers").size(), 3U);
  const auto cost = [&](std::size_t layer) { return found.at("layers")[layer].at("loss").get<double>() - loss; };
  EXPECT_GT(std::abs(cost(1)), 20 * std::abs(cost(0)));
  EXPECT_GT(std::abs(cost(1)), 20 * std::abs(cost(2)));
  // D 64, F 128, 64 query and 32 kv rows: 36,864 weights in 512 rows; 2 bits are packed as 4, groups of 32 have bf16
  // scales.
  EXPECT_EQ(found.at("layers")[0].at("bytes"), 36864 + 4 * 512);
  EXPECT_EQ(found.at("layers")[1].at("bytes"), 36864 / 2 + 2 * 36864 / 32 + 7 * 16);  // and seven shapes
  EXPECT_EQ(found.at("layers")[1].at("layer"), "model.layers.1.");
  EXPECT_TRUE(found.at("overrides").empty());
  // The model is measured with the codes that the folder would have: all three layers at once are near the sum.
  torch::NoGradGuard no_grad;
  EXPECT_NEAR(mean_token_loss(*module.decoder, data), loss, 1e-9);
}

TEST_F(SiteQuantization, MeasuresASmoothedModelAsTheFloatOneThatItIs) {
  write_model("Qwen2ForCausalLM", false);
  SiteQuantizer quantizer;
  quantizer.factor_of = [](const std::string& site, std::int64_t i) {
    const std::int64_t channel = ends_with(site, ".o") ? i / 32 * 16 + i % 16 : i;
    return 0.5F + 0.25F * static_cast<float>(channel % 7);
  };
  SensitivityJob job;
  job.model = model_, job.dataset = dataset_, job.split = "train";
  job.quantizer = bound("quantize.sites", &quantizer, quantizer.table());
  const nlohmann::json found = sensitivity(job, hooks());
  const CallModule module = load_call_module(model_);
  const std::vector<Sequence> data = to_sequences(task::read_split(dataset_ / "train.jsonl").examples, module.contract,
                                                  module.tokenizer, config_.max_positions);
  EXPECT_NEAR(found.at("loss").get<double>(), mean_token_loss(*module.decoder, data), 1e-4);
  job.split = "test";
  EXPECT_NE(message_of([&] { sensitivity(job, hooks()); }).find("test.jsonl"), std::string::npos);
}

TEST_F(SiteQuantization, KnowsTheBytesOfAFolderBeforeItIsThere) {
  std::size_t number = 0;
  for (const bool tied : {true, false}) {
    write_model("Qwen2ForCausalLM", tied);
    for (const Scheme& scheme : {Scheme{8, 1, 0}, Scheme{4, 1, 32}, Scheme{4, 0, 64}, Scheme{4, 1, 128}})
      for (const bool pure : {false, true}) {
        SiteQuantizer quantizer;
        quantizer.short_scales = true;
        quantizer.scheme_of = [&](const std::string&) { return scheme; };
        QuantizationJob job;
        job.model = model_;
        job.quantizer = bound("quantize.sites", &quantizer, quantizer.table());
        job.storage.pure = pure;
        job.storage.embedding = pure || scheme.bits != 8;
        job.output = root_.path() / ("stored" + std::to_string(++number));
        std::filesystem::create_directories(job.output);
        quantize(job, hooks());
        EXPECT_EQ(planned_bytes(model_, job.quantizer, job.storage), model::ModelFolder(job.output).weight_bytes())
            << tied << scheme.bits << " " << scheme.group_size << pure;
        EXPECT_EQ(layer_scheme(job.quantizer).bits, scheme.bits);
      }
  }
}

TEST_F(SiteQuantization, RunsEachLayersCodesAlone) {
  write_model("Qwen2ForCausalLM", false);
  SiteQuantizer quantizer;
  quantizer.short_scales = true;
  quantizer.scheme_of = [](const std::string& site) {
    return site.find("layers.1.") == std::string::npos ? Scheme{0, 1, 0} : Scheme{4, 1, 32};
  };
  SensitivityJob job;
  job.model = model_, job.dataset = dataset_, job.split = "train", job.work = root_.path() / "work";
  job.quantizer = bound("quantize.sites", &quantizer, quantizer.table());
  const nlohmann::json found = sensitivity(job, hooks());
  const std::int64_t whole = model::ModelFolder(model_).weight_bytes();
  EXPECT_EQ(found.at("model_bytes"), whole);
  EXPECT_GE(found.at("exact_match").get<double>(), 0);
  for (const std::size_t layer : {0U, 2U}) {  // float as they were
    EXPECT_EQ(found.at("layers")[layer].at("model_bytes"), whole);
    EXPECT_EQ(found.at("layers")[layer].at("exact_match"), found.at("exact_match"));
    EXPECT_EQ(found.at("layers")[layer].at("loss"), found.at("loss"));
  }
  const nlohmann::json& coded = found.at("layers")[1];
  EXPECT_EQ(coded.at("model_bytes").get<std::int64_t>(), whole - 36864 * 4 + coded.at("bytes").get<std::int64_t>());
  EXPECT_GT(coded.at("milliseconds").get<double>(), 0);
  EXPECT_FALSE(std::filesystem::exists(job.work / "layer"));
}

TEST(Sensitivity, ChoosesTheLayersThatSaveMostWithinTheBudget) {
  const std::vector<LayerCost> layers = {
      {.1, 100, 200}, {.5, 100, 200}, {-.2, 100, 200}, {.3, 100, 200}, {.2, 100, 200}};
  using Chosen = std::vector<std::size_t>;
  EXPECT_EQ(layers_worth_eight_bits(layers, 0), Chosen{});
  EXPECT_EQ(layers_worth_eight_bits(layers, 500), Chosen{});
  EXPECT_EQ(layers_worth_eight_bits(layers, 699), Chosen{1});
  EXPECT_EQ(layers_worth_eight_bits(layers, 700), (Chosen{1, 3}));
  EXPECT_EQ(layers_worth_eight_bits(layers, 10000), (Chosen{0, 1, 3, 4}));  // more bits would not help layer 2
  EXPECT_THROW(layers_worth_eight_bits(layers, 499), std::invalid_argument);
  // Layers of one size: brute force over all choices within every budget.
  for (std::int64_t budget = 500; budget <= 1000; budget += 50) {
    double best = 0, found = 0;
    for (unsigned mask = 0; mask < 32; ++mask) {
      double saved = 0;
      std::int64_t bytes = 500;
      for (std::size_t i = 0; i < 5; ++i)
        if ((mask >> i & 1U) != 0) saved += layers[i].loss, bytes += 100;
      if (bytes <= budget) best = std::max(best, saved);
    }
    for (const std::size_t layer : layers_worth_eight_bits(layers, budget)) found += layers[layer].loss;
    EXPECT_NEAR(found, best, 1e-12) << budget;
  }
  // By loss a byte: the small layer first, though the large one costs more.
  EXPECT_EQ(layers_worth_eight_bits(std::vector<LayerCost>{{.5, 100, 1100}, {.2, 100, 200}}, 1250), Chosen{1});
}

}  // namespace
}  // namespace retort::train
