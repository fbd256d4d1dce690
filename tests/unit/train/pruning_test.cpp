// stage.prune's work beyond width: what a pruner may ask of the model, depth, and the vocabulary.
#include "train/pruning.h"

#include <retort/abi/pruner.h>
#include <torch/types.h>

#include <cmath>
#include <functional>
#include <numeric>
#include <set>

#include "host/plugin/plugin_error.h"
#include "train/compression_fixture.h"
#include "train/model_weights.h"
#include "train/token_loss.h"

namespace retort::train {
namespace {

using Keep = std::tuple<std::uint32_t, std::int64_t, std::vector<std::int64_t>>;

/// A pruner that does what the test says.
struct ScriptedPruner {
  std::uint64_t signals = 0;
  std::uint32_t flags = 0;
  std::int64_t samples = 6;
  std::function<std::vector<Keep>(const retort_prune_signals&, const retort_prune_model&)> script;
  std::function<void(const retort_prune_plan_sink&)> finish = [](const auto&) {};  ///< after the plan

  static ScriptedPruner& self(retort_instance* instance) { return *reinterpret_cast<ScriptedPruner*>(instance); }
  static const retort_pruner_v1& table() {
    static const retort_pruner_v1 functions = {
        RETORT_PRUNER_V1_SIZE, 0,
        [](retort_instance* instance, retort_prune_requirements* out) -> retort_error* {
          out->signals = self(instance).signals;
          out->flags = self(instance).flags;
          out->samples = self(instance).samples;
          return nullptr;
        },
        [](retort_instance* instance, const retort_prune_structure*, const retort_prune_signals* signals,
           const retort_prune_model* model, const retort_prune_plan_sink* sink,
           const retort_metric_sink*) -> retort_error* {
          for (const auto& [axis, layer, indices] : self(instance).script(*signals, *model)) {
            const retort_prune_keep keep{sizeof keep, axis, layer, indices.data(), indices.size()};
            sink->keep(sink->context, &keep);
          }
          self(instance).finish(*sink);
          return nullptr;
        }};
    return functions;
  }
};

class PruningJobTest : public CompressionJobTest {
 protected:
  void run(ScriptedPruner& pruner) {
    PruningJob job;
    job.dataset = dataset_;
    job.model = model_;
    job.pruner = bound("prune.scripted", &pruner, ScriptedPruner::table());
    job.output = output_;
    prune(job, hooks());
  }
  static torch::Tensor tensor_of(const retort_tensor* tensor) {
    return torch::from_blob(static_cast<char*>(tensor->data) + tensor->byte_offset,
                            torch::IntArrayRef(tensor->shape, static_cast<std::size_t>(tensor->dimensions)))
        .clone();
  }
  static torch::Tensor asked(retort_error* (*get)(void*, retort_string, const retort_tensor**),
                             const retort_prune_model& model, std::string_view name) {
    const retort_tensor* out = nullptr;
    host::throw_if_error(get(model.context, {name.data(), name.size()}, &out), "asked");
    return tensor_of(out);
  }
  static double loss_of(const retort_prune_model& model, const std::vector<retort_prune_keep>& keeps) {
    double loss = std::nan("");
    host::throw_if_error(model.evaluate(model.context, keeps.data(), keeps.size(), &loss), "evaluate");
    return loss;
  }
  std::vector<Sequence> sequences(const CallModule& module) const {
    return to_sequences(task::read_split(dataset_ / "train.jsonl").examples, module.contract, module.tokenizer,
                        config_.max_positions);
  }
};

TEST_F(PruningJobTest, CutsLayersAndRenumbersThem) {
  write_model();
  config_.sliding_window = 8;
  config_.sliding_layers = {false, true, true};
  runtime::testing::write_model(model_, config_, weights_, runtime::testing::Storage::f32);
  ScriptedPruner pruner;
  pruner.script = [](const auto&, const auto&) { return std::vector<Keep>{{RETORT_AXIS_LAYERS, -1, {0, 2}}}; };
  run(pruner);
  const model::ModelFolder folder(output_);
  EXPECT_EQ(folder.config().layers, 2);
  EXPECT_EQ(folder.config().sliding_layers, (std::vector<bool>{false, true}));
  EXPECT_EQ(folder.config_json().at("num_hidden_layers"), 2);
  for (const char* name :
       {"self_attn.k_proj.weight", "mlp.down_proj.weight", "input_layernorm.weight", "self_attn.q_proj.bias"}) {
    EXPECT_EQ(model::to_f32(folder.tensor("model.layers.1." + std::string(name))),
              weights_.at("model.layers.2." + std::string(name)));
    EXPECT_EQ(model::to_f32(folder.tensor("model.layers.0." + std::string(name))),
              weights_.at("model.layers.0." + std::string(name)));
  }
}

TEST_F(PruningJobTest, AnswersWithWeightsGradientsAndLosses) {
  write_model("LlamaForCausalLM", false);
  const CallModule module = load_call_module(model_);
  const std::vector<Sequence> data = sequences(module);
  const double whole = mean_token_loss(*module.decoder, data);
  ScriptedPruner pruner{.signals = RETORT_SIGNAL_GRADIENTS | RETORT_SIGNAL_SQUARED_GRADIENTS,
                        .flags = RETORT_PRUNE_EVALUATES};
  double unpruned = 0, without_last = 0;
  torch::Tensor weight, gradient, square;
  std::string unknown, bad_plan;
  pruner.script = [&](const retort_prune_signals& signals, const retort_prune_model& model) {
    EXPECT_EQ(signals.hidden_norms, nullptr);
    EXPECT_GT(signals.required_tokens->shape[0], 256);
    const std::string name = "model.layers.1.mlp.up_proj.weight";
    weight = asked(model.weight, model, name);
    gradient = asked(model.gradient, model, name);
    square = asked(model.squared_gradient, model, name);
    unpruned = loss_of(model, {});
    const std::vector<std::int64_t> kept = {0, 1}, wrong = {1, 0};
    without_last = loss_of(model, {{sizeof(retort_prune_keep), RETORT_AXIS_LAYERS, -1, kept.data(), kept.size()}});
    unknown = message_of([&] { asked(model.weight, model, "model.layers.1.mlp.up_prj.weight"); });
    bad_plan = message_of(
        [&] { loss_of(model, {{sizeof(retort_prune_keep), RETORT_AXIS_LAYERS, -1, wrong.data(), wrong.size()}}); });
    return std::vector<Keep>{{RETORT_AXIS_LAYERS, -1, {0, 1}}};
  };
  run(pruner);
  EXPECT_NEAR(unpruned, whole, 1e-6);
  const CallModule cut = load_call_module(output_);
  EXPECT_NEAR(without_last, mean_token_loss(*cut.decoder, data), 1e-6);
  EXPECT_GT(std::abs(without_last - unpruned), 1e-3);
  EXPECT_NE(unknown.find("the nearest is model.layers.1.mlp.up_proj.weight"), std::string::npos) << unknown;
  EXPECT_NE(bad_plan.find("ascending"), std::string::npos) << bad_plan;
  ASSERT_EQ(weight.sizes(), torch::IntArrayRef({128, 64}));
  EXPECT_EQ(weight[3][5].item<float>(), weights_.at("model.layers.1.mlp.up_proj.weight")[3 * 64 + 5]);
  EXPECT_TRUE((square >= 0).all().item<bool>());
  const LossGradients one = loss_gradients(*module.decoder, {data[0]}, true);
  const torch::Tensor alone = one.mean.at("model.layers.1.mlp.up_proj.weight");
  EXPECT_TRUE(torch::allclose(one.mean_square.at("model.layers.1.mlp.up_proj.weight"), alone.square()));
  // A central difference along the gradient is its norm, along a direction across it nothing.
  torch::NoGradGuard no_grad;
  torch::Tensor up = module.decoder->weight("model.layers.1.mlp.up_proj.weight");
  const torch::Tensor before = up.clone(), along = gradient / gradient.norm();
  torch::Tensor across = torch::sin(torch::arange(before.numel(), torch::kFloat32)).view(before.sizes());
  across -= (across * along).sum() * along;
  const auto slope = [&](const torch::Tensor& direction) {
    constexpr double step = 0.05;
    up.copy_(before + step * direction);
    const double above = mean_token_loss(*module.decoder, data);
    up.copy_(before - step * direction);
    const double below = mean_token_loss(*module.decoder, data);
    up.copy_(before);
    return (above - below) / (2 * step);
  };
  const double norm = gradient.norm().item<double>();
  EXPECT_NEAR(slope(along), norm, 2e-3 * norm);
  EXPECT_NEAR(slope(across / across.norm()), 0, 2e-3 * norm);
}

TEST_F(PruningJobTest, KeepingAllIsTheIdentityToTheBit) {
  const auto all = [](std::int64_t size) {
    std::vector<std::int64_t> indices(static_cast<std::size_t>(size));
    std::iota(indices.begin(), indices.end(), 0);
    return indices;
  };
  for (const bool tied : {true, false})
    for (const bool spelled_out : {false, true}) {
      write_model("Qwen2ForCausalLM", tied);
      ScriptedPruner pruner;
      pruner.script = [&](const auto&, const auto&) {
        std::vector<Keep> plan;
        if (!spelled_out) return plan;
        plan = {{RETORT_AXIS_LAYERS, -1, all(3)},
                {RETORT_AXIS_HIDDEN, -1, all(64)},
                {RETORT_AXIS_VOCABULARY, -1, all(config_.vocabulary_size)}};
        for (std::int64_t layer = 0; layer < 3; ++layer) {
          plan.push_back({RETORT_AXIS_KV_HEADS, layer, all(2)});
          plan.push_back({RETORT_AXIS_FEED_FORWARD, layer, all(128)});
        }
        return plan;
      };
      run(pruner);
      const model::ModelFolder folder(output_);
      EXPECT_EQ(folder.config(), config_);
      for (const auto& [name, shape] : model::tensor_shapes(config_))
        EXPECT_EQ(model::to_f32(folder.tensor(name)), weights_.at(name)) << name;
      EXPECT_TRUE(host::read_json(output_ / "tokenizer.json") == host::read_json(model_ / "tokenizer.json"));
      EXPECT_EQ(figures_.at("parameters_removed"), 0);
    }
}

TEST_F(PruningJobTest, GivesTheHessiansOfDownsInput) {
  write_model();
  const CallModule module = load_call_module(model_);
  std::vector<torch::Tensor> expected;
  for (int layer = 0; layer < 3; ++layer) expected.push_back(torch::zeros({128, 128}, torch::kFloat64));
  std::int64_t rows = 0;
  module.decoder->observer = [&](Site site, std::int64_t layer, const torch::Tensor& a) {
    if (site != Site::feed_forward_hidden) return;
    const torch::Tensor wide = a[0].detach().to(torch::kFloat64);
    expected[static_cast<std::size_t>(layer)] += 2 * wide.t().mm(wide);
    rows += layer == 0 ? wide.size(0) : 0;
  };
  for (const Sequence& sequence : sequences(module)) {
    std::vector<std::int64_t> ids(sequence.prompt.begin(), sequence.prompt.end());
    ids.insert(ids.end(), sequence.response.begin(), sequence.response.end());
    torch::NoGradGuard no_grad;
    module.decoder->hidden(torch::tensor(ids, torch::kInt64).unsqueeze(0));
  }
  ScriptedPruner pruner{.signals = RETORT_SIGNAL_FEED_FORWARD_HESSIAN};
  std::string outside;
  pruner.script = [&](const retort_prune_signals& signals, const retort_prune_model& model) {
    EXPECT_EQ(signals.feed_forward_norms, nullptr);
    for (const std::int64_t layer : {0, 2, 1, 1}) {  // in any order, again too
      const retort_tensor* out = nullptr;
      host::throw_if_error(model.feed_forward_hessian(model.context, layer, &out), "asked");
      const torch::Tensor wanted = expected[static_cast<std::size_t>(layer)] / static_cast<double>(rows);
      EXPECT_TRUE(torch::allclose(tensor_of(out).to(torch::kFloat64), wanted, 1e-4, 1e-5)) << layer;
    }
    const retort_tensor* out = nullptr;
    outside = message_of([&] { host::throw_if_error(model.feed_forward_hessian(model.context, 3, &out), "asked"); });
    return std::vector<Keep>{};
  };
  run(pruner);
  EXPECT_NE(outside.find("expected a layer from 0 to 2, found 3"), std::string::npos) << outside;
  pruner = {};
  pruner.script = [&](const retort_prune_signals&, const retort_prune_model& model) {
    const retort_tensor* out = nullptr;
    outside = message_of([&] { host::throw_if_error(model.feed_forward_hessian(model.context, 0, &out), "asked"); });
    return std::vector<Keep>{};
  };
  run(pruner);
  EXPECT_NE(outside.find("did not ask for FEED_FORWARD_HESSIAN"), std::string::npos) << outside;
}

TEST_F(PruningJobTest, TakesNewWeightsForWhatStays) {
  write_model();
  const std::string name = "model.layers.1.mlp.down_proj.weight";
  const auto give = [](const retort_prune_plan_sink& sink, std::string_view to, std::vector<std::int64_t> shape,
                       std::vector<float> values) {
    const std::int64_t strides[] = {shape[1], 1};
    retort_tensor tensor{};
    tensor.struct_size = sizeof tensor;
    tensor.data = values.data();
    tensor.device_type = RETORT_DEVICE_CPU;
    tensor.dtype_code = RETORT_DTYPE_FLOAT;
    tensor.dtype_bits = 32;
    tensor.dtype_lanes = 1;
    tensor.dimensions = 2;
    tensor.shape = shape.data();
    tensor.strides = strides;
    sink.weight(sink.context, {to.data(), to.size()}, &tensor);
  };
  std::vector<std::int64_t> kept;
  for (std::int64_t i = 1; i < 128; i += 2) kept.push_back(i);
  ScriptedPruner pruner;
  pruner.script = [&](const auto&, const auto&) {
    std::vector<Keep> plan;
    for (std::int64_t layer = 0; layer < 3; ++layer) plan.push_back({RETORT_AXIS_FEED_FORWARD, layer, kept});
    return plan;
  };
  std::vector<float> values(64 * 128);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i);
  pruner.finish = [&](const retort_prune_plan_sink& sink) { give(sink, name, {64, 128}, values); };
  run(pruner);
  const model::ModelFolder folder(output_);
  const std::vector<float> down = model::to_f32(folder.tensor(name)),
                           other = model::to_f32(folder.tensor("model.layers.0.mlp.down_proj.weight"));
  const std::vector<float>& before = weights_.at("model.layers.0.mlp.down_proj.weight");
  ASSERT_EQ(down.size(), 64U * 64U);
  for (std::size_t o = 0; o < 64; ++o)
    for (std::size_t i = 0; i < 64; ++i) {
      ASSERT_EQ(down[o * 64 + i], static_cast<float>(o * 128 + 2 * i + 1));
      ASSERT_EQ(other[o * 64 + i], before[o * 128 + 2 * i + 1]);
    }
  std::filesystem::remove_all(output_);
  const auto refused = [&](std::string_view to, std::vector<std::int64_t> shape, std::vector<float> given) {
    pruner.finish = [&, to](const retort_prune_plan_sink& sink) { give(sink, to, shape, given); };
    return message_of([&] { run(pruner); });
  };
  EXPECT_NE(refused("model.layers.1.mlp.down_prj.weight", {64, 128}, values).find("the nearest is " + name),
            std::string::npos);
  EXPECT_NE(refused(name, {64, 64}, values).find("in its shape [64,128], found [64,64]"), std::string::npos);
  values[5] = std::nanf("");
  EXPECT_NE(refused(name, {64, 128}, values).find("expected finite new values"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(output_ / "config.json"));
}

TEST_F(PruningJobTest, RefusesQuestionsThatWereNotAnnounced) {
  write_model();
  ScriptedPruner pruner;
  std::string gradient, evaluation;
  pruner.script = [&](const retort_prune_signals&, const retort_prune_model& model) {
    gradient = message_of([&] { asked(model.gradient, model, "model.norm.weight"); });
    evaluation = message_of([&] { loss_of(model, {}); });
    return std::vector<Keep>{};
  };
  run(pruner);
  EXPECT_NE(gradient.find("did not ask for GRADIENTS"), std::string::npos) << gradient;
  EXPECT_NE(evaluation.find("RETORT_PRUNE_EVALUATES"), std::string::npos) << evaluation;
}

TEST_F(PruningJobTest, CutsTheVocabularyWithItsTokenizerAndRows) {
  for (const bool tied : {true, false}) {
    write_model("Qwen2ForCausalLM", tied);
    task::write_split(dataset_ / "train.jsonl",
                      {{"cancel the alarm", std::vector<task::Call>{{"alarm_cancel", nlohmann::json::object()}},
                        nlohmann::json::object()},
                       {"kitchen on", std::vector<task::Call>{{"light_set", {{"room", "kitchen"}, {"state", "on"}}}},
                        nlohmann::json::object()}});
    const CallModule before = load_call_module(model_);
    const std::vector<Sequence> data = sequences(before);
    ScriptedPruner pruner{.signals = RETORT_SIGNAL_TOKEN_COUNTS};
    std::size_t planned = 0;
    pruner.script = [&](const retort_prune_signals& signals, const retort_prune_model&) {
      std::set<std::int64_t> kept;
      const auto* counts = static_cast<const float*>(signals.token_counts->data);
      for (std::int64_t i = 0; i < signals.token_counts->shape[0]; ++i)
        if (counts[i] > 0) kept.insert(i);
      const auto* required = static_cast<const std::int64_t*>(signals.required_tokens->data);
      kept.insert(required, required + signals.required_tokens->shape[0]);
      planned = kept.size();
      return std::vector<Keep>{{RETORT_AXIS_VOCABULARY, -1, {kept.begin(), kept.end()}}};
    };
    run(pruner);
    const CallModule after = load_call_module(output_);
    const std::int64_t size = after.decoder->config().vocabulary_size;
    EXPECT_GE(size, static_cast<std::int64_t>(planned));
    EXPECT_LT(size, config_.vocabulary_size);
    EXPECT_EQ(after.tokenizer.vocabulary_size(), size);
    // The same texts have the same tokens, and the same logits on what is kept.
    const std::vector<Sequence> renumbered = sequences(after);
    std::vector<std::int64_t> old_ids;
    for (std::int64_t id = 0; id < size; ++id)
      old_ids.push_back(*before.tokenizer.find(after.tokenizer.token(static_cast<text::TokenId>(id))));
    torch::NoGradGuard no_grad;
    for (std::size_t i = 0; i < data.size(); ++i) {
      std::vector<std::int64_t> then, now, back;
      for (const text::TokenId id : data[i].prompt) then.push_back(id);
      for (const text::TokenId id : renumbered[i].prompt) {
        now.push_back(id);
        back.push_back(old_ids[static_cast<std::size_t>(id)]);
      }
      ASSERT_EQ(back, then);
      const auto logits = [](DecoderModule& decoder, const std::vector<std::int64_t>& ids) {
        return decoder.logits(decoder.hidden(torch::tensor(ids, torch::kInt64).unsqueeze(0))[0]);
      };
      const torch::Tensor expected =
          logits(*before.decoder, then).index_select(1, torch::tensor(old_ids, torch::kInt64));
      EXPECT_TRUE(torch::allclose(logits(*after.decoder, now), expected, 1e-5, 1e-5));
    }
  }
}

TEST_F(PruningJobTest, RefusesAVocabularyWithoutItsSpecialTokens) {
  write_model();
  ScriptedPruner pruner;
  pruner.script = [](const auto&, const auto&) { return std::vector<Keep>{{RETORT_AXIS_VOCABULARY, -1, {0, 1, 2}}}; };
  const std::string message = message_of([&] { run(pruner); });
  EXPECT_NE(message.find("prune.scripted's plan for vocabulary rows"), std::string::npos) << message;
  EXPECT_NE(message.find("required token"), std::string::npos) << message;
  EXPECT_FALSE(std::filesystem::exists(output_ / "config.json"));
}

TEST_F(PruningJobTest, RefusesSignalsOfAnotherInterfaceBeforeWork) {
  write_model();
  ScriptedPruner pruner{.signals = RETORT_SIGNAL_INPUT_HESSIAN};
  EXPECT_NE(message_of([&] { run(pruner); }).find("prune.scripted asks for INPUT_HESSIAN"), std::string::npos);
  pruner = {.signals = RETORT_SIGNAL_HIDDEN_NORMS, .samples = 0};
  EXPECT_NE(message_of([&] { run(pruner); }).find("wants calibration data"), std::string::npos);
}

}  // namespace
}  // namespace retort::train
