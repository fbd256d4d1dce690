// Folders in the "pack-quantized" layout: written, read again, and every way in which one can be broken.
#include <cstring>
#include <deque>
#include <functional>

#include "fixtures.h"
#include "host/base/json.h"
#include "model/model_folder.h"
#include "model/quantization_config.h"

namespace retort::model {
namespace {

using tests::contains;
using tests::error_of;
using tests::TemporaryFolder;
using Json = nlohmann::json;

constexpr char up[] = "model.layers.0.mlp.up_proj.weight";
constexpr std::int64_t group = 32;

ModelConfig tiny_config() {
  ModelConfig config;
  config.vocabulary_size = 11;
  config.hidden_size = 64;
  config.intermediate_size = 96;
  config.layers = 1;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 32;
  config.max_positions = 32;
  config.tie_word_embeddings = false;
  return config;
}

/// Projections int4, the head int8, the rest float: what stage.quantize writes. Owns what the views borrow.
struct Int4Model {
  ModelConfig config = tiny_config();
  Json description = quantization_config({{{"Linear"}, {4, group}}, {{"lm_head"}, {8, 0}}}, {});
  std::deque<std::vector<std::byte>> kept;
  std::vector<StoredTensor> views;

  Int4Model() {
    for (const auto& [name, shape] : tensor_shapes(config)) {
      if (contains(name, "_proj.")) {
        std::vector<std::int8_t> codes(static_cast<std::size_t>(shape[0] * shape[1]));
        for (std::size_t i = 0; i < codes.size(); ++i)
          codes[i] = static_cast<std::int8_t>(static_cast<int>(i * 5 % 16) - 8);
        add(name + "_packed", DataType::i32, {shape[0], shape[1] / 8}, pack_int4(codes, shape[0], shape[1]));
        add_floats(name + "_scale", {shape[0], shape[1] / group});
        add(name + "_shape", DataType::i64, {2}, shape);
      } else if (name == "lm_head.weight") {
        add(name, DataType::i8, shape, std::vector<std::int8_t>(static_cast<std::size_t>(shape[0] * shape[1]), 3));
        add_floats(name + "_scale", {shape[0], 1});
      } else {
        add_floats(name, shape);
      }
    }
  }
  template <typename T>
  void add(const std::string& name, DataType type, const std::vector<std::int64_t>& shape, const std::vector<T>& data) {
    auto& bytes = kept.emplace_back(data.size() * sizeof(T));
    std::memcpy(bytes.data(), data.data(), bytes.size());
    views.push_back({name, type, shape, bytes.data()});
  }
  void add_floats(const std::string& name, const std::vector<std::int64_t>& shape) {
    std::int64_t elements = 1;
    for (const std::int64_t size : shape) elements *= size;
    std::vector<float> values(static_cast<std::size_t>(elements));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + 1) / 16.0F;
    add(name, DataType::f32, shape, values);
  }
  void add_zero_points(const std::string& weight, std::int64_t out) {
    std::vector<std::int8_t> zeros(static_cast<std::size_t>(out * 2));
    for (std::size_t i = 0; i < zeros.size(); ++i) zeros[i] = static_cast<std::int8_t>(static_cast<int>(i % 16) - 8);
    add(weight + "_zero_point", DataType::i32, {packed_int4_columns(out), 2}, pack_zero_points(zeros, out, 2));
  }
  StoredTensor& find(const std::string& name) {
    for (StoredTensor& view : views)
      if (view.name == name) return view;
    throw std::out_of_range(name);
  }
  void remove(const std::string& name) {
    std::erase_if(views, [&](const StoredTensor& view) { return view.name == name; });
  }
};

TEST(Int4Folder, IsReadAsItWasWritten) {
  const TemporaryFolder folder;
  Int4Model model;
  save_model(folder.path(), model.config, model.views, model.description);
  const ModelFolder opened(folder.path());
  EXPECT_TRUE(opened.quantized());
  const LinearWeight weight = opened.linear("model.layers.0.mlp.down_proj");
  EXPECT_EQ(weight.bits, 4);
  EXPECT_EQ(weight.group_size, group);
  EXPECT_EQ(weight.shape, (std::array<std::int64_t, 2>{64, 96}));
  const StoredTensor& written = model.find("model.layers.0.mlp.down_proj.weight_packed");
  ASSERT_EQ(weight.weight->bytes(), written.bytes());
  EXPECT_EQ(std::memcmp(weight.weight->data, written.data, written.bytes()), 0);
  const std::vector<float> values = to_f32(weight);
  EXPECT_EQ(values[0], -8 * (1 / 16.0F));        // code −8 in group 0
  EXPECT_EQ(values[32], -8 * (2 / 16.0F));       // code 32·5 mod 16 − 8 in group 1
  EXPECT_EQ(values[96 + 33], -3 * (5 / 16.0F));  // code 129·5 mod 16 − 8 = −3, row 1, group 1
  EXPECT_EQ(opened.head().bits, 8);
  EXPECT_EQ(opened.linear("model.embed_tokens").bits, 0);
  EXPECT_TRUE(contains(error_of([&] { opened.linear("model.layers.7.mlp.up_proj"); }), "model.layers.7.mlp.up_proj"));
}

TEST(Int4Folder, ReadsWhatOtherWritersWrite) {
  Int4Model model;
  // compressed-tensors before 0.11: one format for all, no format in the group, more fields.
  model.description = Json::parse(R"({"config_groups": {"group_0": {"input_activations": null,
      "output_activations": null, "targets": ["Linear"], "weights": {"actorder": "weight", "block_structure": null,
      "dynamic": false, "group_size": 32, "num_bits": 4, "observer": "minmax", "observer_kwargs": {},
      "strategy": "group", "symmetric": true, "type": "int"}}}, "format": "pack-quantized",
      "global_compression_ratio": 1.9, "ignore": ["lm_head"], "kv_cache_scheme": null,
      "quant_method": "compressed-tensors", "quantization_status": "compressed", "sparsity_config": {},
      "transform_config": {}, "version": "0.10.2"})");
  model.remove("lm_head.weight");
  model.remove("lm_head.weight_scale");
  model.add_floats("lm_head.weight", {11, 64});
  for (StoredTensor& view : model.views)
    if (view.name.ends_with("_shape")) {
      std::vector<std::int32_t> narrow(2);
      for (std::size_t i = 0; i < 2; ++i) std::memcpy(&narrow[i], view.data + i * 8, 4);
      const std::string name = view.name;
      auto& bytes = model.kept.emplace_back(8);
      std::memcpy(bytes.data(), narrow.data(), 8);
      view = {name, DataType::i32, {2}, bytes.data()};
    }
  const TemporaryFolder folder;
  save_model(folder.path(), model.config, model.views, model.description);
  EXPECT_EQ(ModelFolder(folder.path()).linear("model.layers.0.mlp.up_proj").group_size, 32);
}

TEST(Int4Folder, LayersMayHaveDifferentSchemes) {
  const TemporaryFolder folder;
  Int4Model model;
  const std::string gate = "model.layers.0.mlp.gate_proj";
  for (const std::string& name : {gate, std::string("model.layers.0.mlp.up_proj")})
    model.add_zero_points(name + ".weight", 96);
  model.description = quantization_config(
      {{{gate, "model.layers.0.mlp.up_proj"}, {4, group, false}}, {{"Linear"}, {4, group}}, {{"lm_head"}, {8, 0}}}, {});
  EXPECT_EQ(model.description["config_groups"]["group_0"]["weights"]["symmetric"], false);
  EXPECT_EQ(model.description["config_groups"]["group_0"]["targets"][0], gate);
  save_model(folder.path(), model.config, model.views, model.description);
  const ModelFolder opened(folder.path());
  const LinearWeight weight = opened.linear(gate);
  ASSERT_NE(weight.zero_point, nullptr);
  EXPECT_EQ(zero_point(weight, 3, 1), -1);
  const std::vector<float> values = to_f32(weight);
  EXPECT_EQ(values[0], 0);                                 // code −8, zero point −8
  EXPECT_EQ(values[32], (-8 + 7) * (2 / 16.0F));           // code −8, zero point −7 in group 1
  EXPECT_EQ(values[64 * 3 + 33], (-3 + 1) * (8 / 16.0F));  // code 225·5 mod 16 − 8 = −3, row 3, zero point −1
  EXPECT_EQ(opened.linear("model.layers.0.mlp.down_proj").zero_point, nullptr);
  EXPECT_EQ(read_quantization_config(host::JsonCursor(model.description, "test")),
            (std::vector<WeightScheme>{{4, group, false}, {4, group}, {8, 0}}));
  EXPECT_EQ(name_of({4, group, false}), "asymmetric int4 in groups of 32");
}

TEST(Int4Folder, RefusesBrokenWeightsByName) {
  const std::string name = up;
  const std::pair<std::function<void(Int4Model&)>, std::string> cases[] = {
      {[&](Int4Model& m) { m.remove(name + "_scale"); }, "'" + name + "_scale' beside it"},
      {[&](Int4Model& m) { m.remove(name + "_shape"); }, "'" + name + "_shape' beside it"},
      {[&](Int4Model& m) { m.remove(name + "_packed"); }, "'" + name + "': expected [96,64]"},
      {[&](Int4Model& m) { m.add_floats(name, {96, 64}); }, "expected none beside '" + name + "_packed'"},
      {[&](Int4Model& m) { m.find(name + "_packed").shape = {48, 16}; }, "expected I32[96,8], 8 codes an int32"},
      {[&](Int4Model& m) { m.find(name + "_packed").type = DataType::f32; }, "found F32[96,8]"},
      {[&](Int4Model& m) { m.find(name + "_shape").shape = {1, 2}; }, "expected I64[2] or I32[2] with [96,64]"},
      {[&](Int4Model& m) { m.find(name + "_shape").data = m.find("model.layers.0.mlp.down_proj.weight_shape").data; },
       "with [96,64], found [64,96]"},
      {[&](Int4Model& m) { m.find(name + "_scale").shape = {2, 96}; }, "found F32[2,96]"},
      {[&](Int4Model& m) { m.find(name + "_scale").type = DataType::i32; }, "found I32[96,2]"},
      {[&](Int4Model& m) { m.find(name + "_scale").shape = {192}; }, "groups a divisor of 64"},
      {[&](Int4Model& m) { m.add_floats(name + "_zero_point", {96, 2}); },
       "_zero_point': expected I32[12,2], 8 rows an int32, found F32[96,2]"},
      {[&](Int4Model& m) { m.add_zero_points(name, 96); },
       "expected float or int4 in groups of 32 and int8, as config.json's quantization_config states, found asymmetric "
       "int4 in groups of 32"},
      {[&](Int4Model& m) {
         m.description = quantization_config({{{"Linear"}, {4, group, false}}, {{"lm_head"}, {8, 0}}}, {});
       },
       "q_proj.weight': expected 'model.layers.0.self_attn.q_proj.weight_zero_point' beside it, I32[8,2]"},
      {[&](Int4Model& m) { m.add_floats("lm_head.weight_zero_point", {11, 1}); },
       "'lm_head.weight_zero_point': expected none, because zero points are implemented for packed 4-bit codes only"},
      {[&](Int4Model& m) { m.add_floats(name + "_g_idx", {64}); }, "weight_g_idx': expected none"},
      {[&](Int4Model& m) { m.description = quantization_config({{{"Linear"}, {4, 64}}, {{"lm_head"}, {8, 0}}}, {}); },
       "expected float or int4 in groups of 64 and int8, as config.json's quantization_config states, found int4 in "
       "groups of 32"},
      {[&](Int4Model& m) { m.description = quantization_config({{{"Linear"}, {4, group}}}, {}); },
       "'lm_head.weight': expected float or int4 in groups of 32"},
      {[&](Int4Model& m) { m.description = nullptr; }, "has no quantization_config"},
      {[&](Int4Model& m) { m.add_floats("model.norm.weight_scale", {64, 1}); }, "only tensors of a model"}};
  for (const auto& [damage, expected] : cases) {
    const TemporaryFolder folder;
    Int4Model model;
    damage(model);
    const std::string error = error_of([&] { save_model(folder / "m", model.config, model.views, model.description); });
    EXPECT_TRUE(contains(error, expected)) << error << "\n  instead of: " << expected;
    EXPECT_FALSE(std::filesystem::exists(folder / "m"));
  }
}

TEST(Int4Folder, RefusesOtherSchemesByField) {
  const TemporaryFolder folder;
  Int4Model model;
  save_model(folder.path(), model.config, model.views, model.description);
  const Json good = host::read_json(folder / "config.json");
  const std::string weights = "/config_groups/group_0/weights/";
  const std::pair<std::string, Json> cases[] = {{weights + "num_bits", 3},
                                                {weights + "num_bits", 4.5},
                                                {"/config_groups/group_1/weights/symmetric", false},
                                                {weights + "type", "float"},
                                                {weights + "strategy", "channel"},
                                                {weights + "group_size", 16},
                                                {weights + "group_size", nullptr},
                                                {weights + "actorder", "group"},
                                                {weights + "dynamic", true},
                                                {"/config_groups/group_0/format", "int-quantized"},
                                                {"/config_groups/group_1/format", "pack-quantized"},
                                                {"/config_groups/group_0/input_activations", Json::object()},
                                                {"/config_groups/group_0/output_activations", Json::object()},
                                                {"/config_groups/group_0", Json::array()},
                                                {"/config_groups", Json::array({"W4A16"})},
                                                {"/transform_config", {{"config_groups", {{"R1", 1}}}}},
                                                {"/sparsity_config", {{"format", "sparse-24-bitmask"}}},
                                                {"/format", "marlin-24"},
                                                {"/format", "int-quantized"}};
  for (const auto& [place, value] : cases) {
    Json bad = good;
    bad["quantization_config"][Json::json_pointer(place)] = value;
    host::write_json(folder / "config.json", bad);
    const std::string error = error_of([&] { ModelFolder opened(folder.path()); });
    EXPECT_TRUE(contains(error, "/quantization_config" + place)) << error;
  }
}

TEST(QuantizationConfig, WritesTheCompressedTensorsSpelling) {
  const Json config =
      quantization_config({{{"Linear"}, {4, 128}}, {{"lm_head"}, {8, 0}, 8}, {{"Embedding"}, {8, 0}}}, {"x"});
  EXPECT_EQ(config.at("format"), "mixed-precision");
  EXPECT_EQ(config.at("ignore"), Json::array({"x"}));
  const Json& groups = config.at("config_groups");
  EXPECT_EQ(groups.at("group_0").at("format"), "pack-quantized");
  EXPECT_EQ(groups.at("group_0").at("weights").at("num_bits"), 4);
  EXPECT_EQ(groups.at("group_0").at("weights").at("strategy"), "group");
  EXPECT_EQ(groups.at("group_0").at("weights").at("group_size"), 128);
  EXPECT_EQ(groups.at("group_0").at("input_activations"), nullptr);
  EXPECT_EQ(groups.at("group_1").at("targets"), Json::array({"lm_head"}));
  EXPECT_EQ(groups.at("group_1").at("format"), "int-quantized");
  EXPECT_EQ(groups.at("group_1").at("input_activations").at("dynamic"), true);
  EXPECT_EQ(groups.at("group_2").at("input_activations"), nullptr);
  EXPECT_EQ(quantization_config({{{"Linear"}, {4, 64}}}, {}).at("format"), "pack-quantized");
  EXPECT_EQ(read_quantization_config(host::JsonCursor(config, "test")), (std::vector<WeightScheme>{{4, 128}, {8, 0}}));
  EXPECT_EQ(read_activation_bits(host::JsonCursor(config, "test")), 8);
  const Json weights_only = quantization_config({{{"Linear"}, {8, 0}}}, {});
  EXPECT_EQ(weights_only.at("config_groups").at("group_0").at("input_activations"), nullptr);
  EXPECT_EQ(read_activation_bits(host::JsonCursor(weights_only, "test")), 0);
}

}  // namespace
}  // namespace retort::model
