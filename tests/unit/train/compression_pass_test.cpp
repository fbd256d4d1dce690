// The compression pass against the whole model and against numbers worked out by hand: statistics, padding, the order
// of layers, and smoothing that leaves the float model as it is.
#include "train/compression_pass.h"

#include <gtest/gtest.h>
#include <retort/abi/signals.h>

#include <map>
#include <optional>

#include "runtime/random_model.h"
#include "train/decoder_module.h"
#include "train/model_weights.h"
#include "train/site_statistics.h"

namespace retort::train {
namespace {

using runtime::testing::TemporaryFolder;
using torch::Tensor;

constexpr std::uint64_t all_signals = RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN | RETORT_SIGNAL_INPUT_ABSOLUTE_MAX |
                                      RETORT_SIGNAL_INPUT_SQUARE_SUM | RETORT_SIGNAL_INPUT_HESSIAN |
                                      RETORT_SIGNAL_INPUT_SAMPLES;

Tensor copy_of(const retort_tensor* tensor) {
  return torch::from_blob(static_cast<char*>(tensor->data) + tensor->byte_offset,
                          torch::IntArrayRef(tensor->shape, static_cast<std::size_t>(tensor->dimensions)))
      .clone();
}

struct Seen {
  std::int64_t rows = 0;
  Tensor mean, maximum, squares, hessian, samples;
};

Seen seen_by(const retort_site_statistics& statistics) {
  return {statistics.rows,
          copy_of(statistics.absolute_mean),
          copy_of(statistics.absolute_max),
          copy_of(statistics.square_sum),
          copy_of(statistics.hessian),
          copy_of(statistics.samples)};
}

/// Records what it is shown, and does what the test says.
class Recorder : public CompressionMethod {
 public:
  bool needs_statistics(const LinearSite& site) const override { return site.place != SitePlace::embedding; }
  bool smooths(const LinearSite& site) const override { return factors.contains(site.view.name); }
  Tensor smoothing(const LinearSite& site, const host::SiteView& view) override {
    smoothed_modules[site.view.name] = view.modules.size();
    return factors.at(site.view.name);
  }
  void compress(const LinearSite& site, const host::SiteView& view, std::vector<Tensor>& weights) override {
    order.push_back(site.view.name);
    if (view.statistics) seen[site.view.name] = seen_by(*view.statistics);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      EXPECT_TRUE(copy_of(view.modules[i].weight).equal(weights[i])) << site.modules[i];
      if (site.modules[i] == zeroed) weights[i] = torch::zeros_like(weights[i]);
      tensors[site.modules[i] + ".weight"] = weights[i].clone();
    }
  }
  void keep(const std::string& name, const Tensor& tensor) override { tensors[name] = tensor.clone(); }

  std::string zeroed;
  std::map<std::string, Tensor> factors;
  std::map<std::string, std::size_t> smoothed_modules;
  std::vector<std::string> order;
  std::map<std::string, Seen> seen;
  std::map<std::string, Tensor> tensors;
};

const RunHooks& silent() {
  static const RunHooks hooks = {[](std::string_view, std::int64_t, double) {},
                                 [](std::string_view, std::int64_t, std::int64_t, std::string_view) {}, [] {},
                                 [](std::string_view) {}};
  return hooks;
}

class CompressionPass : public ::testing::Test {
 protected:
  const model::ModelFolder& write(const model::ModelConfig& config) {
    runtime::testing::write_model(root_.path() / "model", config, runtime::testing::random_weights(config, 5),
                                  runtime::testing::Storage::f32);
    folder_.emplace(root_.path() / "model");
    return *folder_;
  }
  /// 3 + 5 + 1 + 2 tokens.
  static std::vector<Sequence> sequences() {
    return {{{1, 2}, {3}, 0}, {{9, 8, 7}, {6, 5}, 1}, {{4}, {}, 2}, {{2}, {9}, 3}};
  }
  /// The rows of every site, each sequence on its own, without padding: the slow and obvious way.
  static std::map<std::string, Tensor> rows_of(DecoderModule& decoder) {
    torch::NoGradGuard no_grad;
    std::map<std::string, std::vector<Tensor>> pieces;
    decoder.observer = [&](Site site, std::int64_t layer, const Tensor& a) {
      const std::string prefix = "model.layers." + std::to_string(layer) + ".";
      const std::map<Site, std::string> names = {{Site::attention_input, prefix + "self_attn.qkv"},
                                                 {Site::attention_output, prefix + "self_attn.o"},
                                                 {Site::feed_forward_input, prefix + "mlp.gate_up"},
                                                 {Site::feed_forward_hidden, prefix + "mlp.down"},
                                                 {Site::head_input, "lm_head"}};
      if (names.contains(site)) pieces[names.at(site)].push_back(a[0].clone());
    };
    for (const Sequence& sequence : sequences()) {
      std::vector<std::int64_t> ids(sequence.prompt.begin(), sequence.prompt.end());
      ids.insert(ids.end(), sequence.response.begin(), sequence.response.end());
      decoder.hidden(torch::tensor(ids, torch::kInt64).unsqueeze(0));
    }
    decoder.observer = nullptr;
    std::map<std::string, Tensor> rows;
    for (const auto& [name, parts] : pieces) rows[name] = torch::cat(parts);
    return rows;
  }
  static void expect_statistics(const Seen& seen, const Tensor& rows, const std::string& site) {
    ASSERT_EQ(seen.rows, rows.size(0)) << site;
    const Tensor wide = rows.to(torch::kFloat64);
    Tensor hessian = torch::zeros({rows.size(1), rows.size(1)}, torch::kFloat64);
    for (std::int64_t s = 0; s < rows.size(0); ++s) hessian += 2 * torch::outer(wide[s], wide[s]);
    EXPECT_TRUE(torch::allclose(seen.hessian.to(torch::kFloat64), hessian / rows.size(0), 1e-4, 1e-5)) << site;
    EXPECT_TRUE(torch::allclose(seen.mean.to(torch::kFloat64), wide.abs().mean(0), 1e-4, 1e-6)) << site;
    EXPECT_TRUE(torch::allclose(seen.maximum, rows.abs().amax(0), 1e-4, 1e-6)) << site;
    EXPECT_TRUE(torch::allclose(seen.squares.to(torch::kFloat64), wide.square().sum(0), 1e-4, 1e-6)) << site;
    EXPECT_TRUE(torch::allclose(seen.samples, rows, 1e-4, 1e-5)) << site;
  }
  /// The decoder of what a pass left.
  static std::unique_ptr<DecoderModule> decoder_of(const model::ModelConfig& config, const Recorder& method) {
    auto decoder = std::make_unique<DecoderModule>(config, 0);
    torch::NoGradGuard no_grad;
    for (const auto& [name, tensor] : decoder->weights()) Tensor(tensor).copy_(method.tensors.at(name));
    return decoder;
  }

  TemporaryFolder root_;
  std::optional<model::ModelFolder> folder_;
};

TEST(SiteStatistics, AreThoseOfAFixedTable) {
  // Rows (1,2), (3,−4), (0,1): Σ|x| = (4,7), max (3,4), Σx² = (10,21), Σx₀x₁ = 2 − 12 + 0 = −10, S = 3.
  SiteStatistics statistics(2, all_signals);
  statistics.add(torch::tensor({1.0F, 2.0F, 3.0F, -4.0F}).view({2, 2}));
  statistics.add(torch::tensor({0.0F, 1.0F}).view({1, 2}));
  const Seen seen = seen_by(statistics.abi());
  EXPECT_EQ(seen.rows, 3);
  EXPECT_TRUE(torch::allclose(seen.mean, torch::tensor({4.0F / 3, 7.0F / 3})));
  EXPECT_TRUE(seen.maximum.equal(torch::tensor({3.0F, 4.0F})));
  EXPECT_TRUE(seen.squares.equal(torch::tensor({10.0F, 21.0F})));
  EXPECT_TRUE(torch::allclose(seen.hessian, torch::tensor({20.0F / 3, -20.0F / 3, -20.0F / 3, 14.0F}).view({2, 2})));
  EXPECT_TRUE(seen.samples.equal(torch::tensor({1.0F, 2.0F, 3.0F, -4.0F, 0.0F, 1.0F}).view({3, 2})));
}

TEST(SiteStatistics, HoldOnlyWhatWasAskedFor) {
  SiteStatistics statistics(2, RETORT_SIGNAL_INPUT_SQUARE_SUM);
  statistics.add(torch::ones({1, 2}));
  const retort_site_statistics seen = statistics.abi();
  EXPECT_EQ(seen.absolute_mean, nullptr);
  EXPECT_EQ(seen.absolute_max, nullptr);
  EXPECT_EQ(seen.hessian, nullptr);
  EXPECT_EQ(seen.samples, nullptr);
  EXPECT_NE(seen.square_sum, nullptr);
}

TEST_F(CompressionPass, SeesWhatTheWholeModelSeesAndNoPadding) {
  for (const char* family : {"qwen2", "qwen3", "llama3", "gemma3"}) {
    const model::ModelConfig config = runtime::testing::awkward_config(family);
    const model::ModelFolder& folder = write(config);
    const std::unique_ptr<DecoderModule> decoder = load_decoder(folder);
    Recorder method;
    run_compression_pass(folder, {sequences(), 1000, all_signals}, method, silent());
    for (const auto& [site, rows] : rows_of(*decoder)) {
      EXPECT_EQ(rows.size(0), 11);
      expect_statistics(method.seen.at(site), rows, std::string(family) + " " + site);
    }
    EXPECT_EQ(method.tensors.size(), decoder->weights().size());
    for (const auto& [name, tensor] : decoder->weights()) EXPECT_TRUE(method.tensors.at(name).equal(tensor)) << name;
  }
}

TEST_F(CompressionPass, CountsTheFirstRowsAndNoMore) {
  const model::ModelFolder& folder = write(runtime::testing::awkward_config());
  const std::unique_ptr<DecoderModule> decoder = load_decoder(folder);
  Recorder method;
  run_compression_pass(folder, {sequences(), 7, all_signals}, method, silent());
  for (const auto& [site, rows] : rows_of(*decoder))
    expect_statistics(method.seen.at(site), rows.narrow(0, 0, 7), site);
}

TEST_F(CompressionPass, CalibratesASiteOnTheCompressedOnesBeforeIt) {
  const model::ModelFolder& folder = write(runtime::testing::awkward_config());
  const std::unique_ptr<DecoderModule> decoder = load_decoder(folder);
  const auto before = rows_of(*decoder);
  Recorder method;
  method.zeroed = "model.layers.0.self_attn.o_proj";
  run_compression_pass(folder, {sequences(), 1000, all_signals}, method, silent());
  {
    torch::NoGradGuard no_grad;
    decoder->weight("model.layers.0.self_attn.o_proj.weight").zero_();
  }
  const auto after = rows_of(*decoder);
  for (const auto& [site, rows] : after) expect_statistics(method.seen.at(site), rows, site);
  EXPECT_TRUE(after.at("model.layers.0.self_attn.o").equal(before.at("model.layers.0.self_attn.o")));
  EXPECT_FALSE(torch::allclose(after.at("model.layers.0.mlp.down"), before.at("model.layers.0.mlp.down")));
  const std::vector<std::string> first(method.order.begin(), method.order.begin() + 5);
  EXPECT_EQ(first, (std::vector<std::string>{"model.layers.0.self_attn.qkv", "model.layers.0.self_attn.o",
                                             "model.layers.0.mlp.gate_up", "model.layers.0.mlp.down",
                                             "model.layers.1.self_attn.qkv"}));
}

TEST_F(CompressionPass, SmoothingLeavesTheFloatModelAsItIs) {
  for (const char* family : {"qwen2", "qwen3", "llama3", "gemma3"}) {
    const model::ModelConfig config = runtime::testing::awkward_config(family);
    const model::ModelFolder& folder = write(config);
    const std::unique_ptr<DecoderModule> before = load_decoder(folder);
    Recorder method;
    torch::manual_seed(3);
    for (const LinearSite& site : linear_sites(config)) {
      if (site.view.producer == RETORT_PRODUCER_NONE) continue;
      Tensor factors = torch::rand({site.view.columns}) * 4 + 0.25;
      if (site.view.producer == RETORT_PRODUCER_VALUE)
        factors = (torch::rand({config.kv_heads, 1, config.head_dim}) * 4 + 0.25)
                      .expand({config.kv_heads, config.heads / config.kv_heads, config.head_dim})
                      .reshape({-1});
      method.factors[site.view.name] = factors.contiguous();
    }
    run_compression_pass(folder, {sequences(), 1000, all_signals}, method, silent());
    const std::unique_ptr<DecoderModule> after = decoder_of(config, method);
    const Tensor ids = torch::tensor({{5, 4, 3, 2, 1, 6, 7, 8, 9, 1}}, torch::kInt64);
    torch::NoGradGuard no_grad;
    const Tensor expected = before->logits(before->hidden(ids)[0]), found = after->logits(after->hidden(ids)[0]);
    EXPECT_TRUE(torch::allclose(found, expected, 1e-4, 2e-5))
        << family << ": " << (found - expected).abs().max().item<double>();
    for (const char* module : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                               "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"}) {
      const std::string name = std::string("model.layers.1.") + module + ".weight";
      EXPECT_FALSE(torch::allclose(after->weight(name), before->weight(name))) << family << " " << name;
    }
    // One set of factors for all that read one input.
    EXPECT_EQ(method.smoothed_modules.at("model.layers.0.self_attn.qkv"), 3U);
    EXPECT_EQ(method.smoothed_modules.at("model.layers.0.mlp.gate_up"), 2U);
    EXPECT_EQ(method.smoothed_modules.contains("lm_head"), !config.tie_word_embeddings);
  }
}

TEST_F(CompressionPass, RefusesFactorsThatTheRowsOfVCannotTakeUp) {
  const model::ModelConfig config = runtime::testing::awkward_config("qwen2");
  const model::ModelFolder& folder = write(config);
  Recorder method;
  method.factors["model.layers.0.self_attn.o"] = torch::arange(1, config.heads * config.head_dim + 1, torch::kFloat32);
  EXPECT_THROW(run_compression_pass(folder, {sequences(), 1000, all_signals}, method, silent()), std::invalid_argument);
}

TEST_F(CompressionPass, NeedsNoSequencesWhereNothingIsAskedFor) {
  const model::ModelFolder& folder = write(runtime::testing::awkward_config());
  Recorder method;
  run_compression_pass(folder, {}, method, silent());
  EXPECT_TRUE(method.seen.empty());
  EXPECT_EQ(method.order.size(), static_cast<std::size_t>(4 * folder.config().layers + 1));
}

}  // namespace
}  // namespace retort::train
