// Folders written and read again: float, int8, sharded; and every way in which one can be broken.
#include "model/model_folder.h"

#include <cstring>
#include <deque>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "model/quantization_config.h"

namespace retort::model {
namespace {

using tests::contains;
using tests::error_of;
using tests::TemporaryFolder;
using Json = nlohmann::json;

ModelConfig tiny_config(bool tied) {
  ModelConfig config;
  config.vocabulary_size = 11;
  config.hidden_size = 8;
  config.intermediate_size = 12;
  config.layers = 2;
  config.heads = 2;
  config.kv_heads = 1;
  config.head_dim = 6;
  config.max_positions = 32;
  config.tie_word_embeddings = tied;
  return config;
}

/// A model's tensors with the storage that their views borrow.
struct Weights {
  std::deque<std::vector<float>> floats;
  std::deque<std::vector<std::int8_t>> codes;
  std::vector<StoredTensor> views;

  explicit Weights(const ModelConfig& config, bool quantized = false) {
    for (const auto& [name, shape] : tensor_shapes(config)) {
      const bool linear = contains(name, "_proj.");
      if (quantized && linear)
        add_codes(name, shape);
      else
        add_floats(name, shape);
    }
  }
  void add_floats(const std::string& name, const std::vector<std::int64_t>& shape) {
    StoredTensor view{name, DataType::f32, shape, nullptr};
    auto& values = floats.emplace_back(static_cast<std::size_t>(view.elements()));
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(i + floats.size()) / 16.0F;
    view.data = reinterpret_cast<const std::byte*>(values.data());
    views.push_back(view);
  }
  void add_codes(const std::string& name, const std::vector<std::int64_t>& shape) {
    StoredTensor view{name, DataType::i8, shape, nullptr};
    auto& values = codes.emplace_back(static_cast<std::size_t>(view.elements()));
    for (std::size_t i = 0; i < values.size(); ++i)
      values[i] = static_cast<std::int8_t>(static_cast<int>(i % 255) - 127);
    view.data = reinterpret_cast<const std::byte*>(values.data());
    views.push_back(view);
    add_floats(name + "_scale", {shape[0], 1});
  }
  StoredTensor* find(const std::string& name) {
    for (StoredTensor& view : views)
      if (view.name == name) return &view;
    return nullptr;
  }
};

std::string open_error(const std::filesystem::path& folder) {
  return error_of([&] { ModelFolder model(folder); });
}

TEST(ModelFolder, RoundTripsFloatModels) {
  for (const bool tied : {true, false}) {
    const TemporaryFolder folder;
    const ModelConfig config = tiny_config(tied);
    Weights weights(config);
    save_model(folder / "model", config, weights.views);
    const ModelFolder model(folder / "model");
    EXPECT_EQ(model.config(), config);
    EXPECT_FALSE(model.quantized());
    EXPECT_EQ(model.weight_bytes(), config.parameters() * 4);
    EXPECT_EQ(model.retort(), Json::object());
    EXPECT_EQ(model.config_json().at("torch_dtype"), "float32");
    for (const StoredTensor& view : weights.views)
      EXPECT_EQ(to_f32(model.tensor(view.name)), to_f32(view)) << view.name;
    EXPECT_EQ(model.head().weight->name, tied ? "model.embed_tokens.weight" : "lm_head.weight");
    EXPECT_TRUE(contains(error_of([&] { model.tensor("absent"); }), "absent"));
  }
}

TEST(ModelFolder, RoundTripsInt8Models) {
  const TemporaryFolder folder;
  const ModelConfig config = tiny_config(true);
  const Weights weights(config, true);
  save_model(folder.path(), config, weights.views, int8_quantization_config({"lm_head"}));
  host::write_json(folder / "retort.json", {{"task", "x"}});
  const ModelFolder model(folder.path());
  EXPECT_TRUE(model.quantized());
  EXPECT_EQ(model.retort().at("task"), "x");
  const LinearWeight query = model.linear("model.layers.1.self_attn.q_proj");
  ASSERT_TRUE(query.quantized());
  EXPECT_EQ(query.weight->shape, (std::vector<std::int64_t>{12, 8}));
  EXPECT_EQ(query.scale->shape, (std::vector<std::int64_t>{12, 1}));
  EXPECT_EQ(std::memcmp(query.weight->data, weights.codes[7].data(), 96), 0);  // 7 linear layers a block
  EXPECT_FALSE(model.head().quantized());
}

TEST(ModelFolder, SaysWhatInt8WeightsAreMultipliedBy) {
  const ModelConfig config = tiny_config(true);
  const Weights weights(config, true);
  const QuantizedModules w8a8{{"Linear"}, {8, 0}, 8}, w8a16{{"Linear"}, {8, 0}, 0},
      one_w8a16{{"model.layers.0.mlp.up_proj"}, {8, 0}, 0}, embedding{{"Embedding"}, {8, 0}, 0};
  // Float activations serve modules that ask for int8 too; a look-up has none and asks for nothing.
  const std::pair<std::vector<QuantizedModules>, int> cases[] = {
      {{w8a8}, 8}, {{w8a16}, 0}, {{w8a8, one_w8a16}, 0}, {{w8a8, embedding}, 8}, {{w8a16, embedding}, 0}};
  for (const auto& [groups, bits] : cases) {
    const TemporaryFolder folder;
    save_model(folder.path(), config, weights.views, quantization_config(groups, {"lm_head"}));
    const ModelFolder model(folder.path());
    EXPECT_EQ(model.linear("model.layers.1.self_attn.q_proj").activation_bits, bits);
    EXPECT_EQ(model.head().activation_bits, 0);
  }
}

TEST(ModelFolder, WritesTheCompressedTensorsSpelling) {
  const Json config = int8_quantization_config({"lm_head"});
  EXPECT_EQ(config.at("quant_method"), "compressed-tensors");
  EXPECT_EQ(config.at("format"), "int-quantized");
  EXPECT_EQ(config.at("ignore"), Json::array({"lm_head"}));
  const Json group = config.at("config_groups").at("group_0");
  EXPECT_EQ(group.at("targets"), Json::array({"Linear"}));
  EXPECT_EQ(group.at("weights").at("strategy"), "channel");
  EXPECT_EQ(group.at("input_activations").at("strategy"), "token");
  EXPECT_EQ(group.at("input_activations").at("dynamic"), true);
}

TEST(ModelFolder, ReadsShards) {
  const TemporaryFolder folder;
  const ModelConfig config = tiny_config(false);
  const Weights weights(config);
  const auto half = weights.views.begin() + 9;
  write_safetensors(folder / "model-00001-of-00002.safetensors", {weights.views.begin(), half});
  write_safetensors(folder / "model-00002-of-00002.safetensors", {half, weights.views.end()});
  host::write_json(folder / "config.json", to_json(config));
  Json map = Json::object();
  for (std::size_t i = 0; i < weights.views.size(); ++i)
    map[weights.views[i].name] = i < 9 ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors";
  host::write_json(folder / "model.safetensors.index.json", {{"metadata", {{"total_size", 1}}}, {"weight_map", map}});
  const ModelFolder model(folder.path());
  for (const StoredTensor& view : weights.views) EXPECT_EQ(to_f32(model.tensor(view.name)), to_f32(view)) << view.name;

  for (const char* name : {"../model.safetensors", "/etc/passwd", "..", "", "a/b.safetensors"}) {
    map["model.norm.weight"] = name;
    host::write_json(folder / "model.safetensors.index.json", {{"weight_map", map}});
    EXPECT_TRUE(contains(open_error(folder.path()), "/weight_map/model.norm.weight")) << open_error(folder.path());
  }
  write_safetensors(folder / "model-00003.safetensors", {weights.views.front()});
  map["model.norm.weight"] = "model-00003.safetensors";
  host::write_json(folder / "model.safetensors.index.json", {{"weight_map", map}});
  EXPECT_TRUE(contains(open_error(folder.path()), "'model.embed_tokens.weight': expected in one file, found in two"));
  map["model.norm.weight"] = "model-00003-of-00002.safetensors";
  host::write_json(folder / "model.safetensors.index.json", {{"weight_map", map}});
  EXPECT_TRUE(contains(open_error(folder.path()), "model-00003"));
  std::filesystem::resize_file(folder / "model-00002-of-00002.safetensors", 100);
  EXPECT_TRUE(contains(open_error(folder.path()), "model-00002-of-00002.safetensors"));
}

TEST(ModelFolder, NamesWhatIsMissing) {
  const TemporaryFolder folder;
  EXPECT_TRUE(contains(open_error(folder.path()), "config.json"));
  const ModelConfig config = tiny_config(true);
  host::write_json(folder / "config.json", to_json(config));
  EXPECT_TRUE(contains(open_error(folder.path()), "model.safetensors.index.json, found neither"));
  Weights weights(config);
  weights.views.pop_back();
  write_safetensors(folder / "model.safetensors", weights.views);
  EXPECT_TRUE(
      contains(open_error(folder.path()), "'model.norm.weight': expected [8], as config.json asks, found none"));
}

TEST(ModelFolder, RefusesTensorsThatDoNotFit) {
  const TemporaryFolder folder;
  const ModelConfig config = tiny_config(true);
  const auto save_error = [&](Weights& weights, const Json& quantization) {
    return error_of([&] { save_model(folder / "model", config, weights.views, quantization); });
  };
  Weights wrong_shape(config);
  wrong_shape.find("model.norm.weight")->shape = {4, 2};
  EXPECT_TRUE(contains(save_error(wrong_shape, nullptr), "expected [8], as config.json asks, found [4,2]"));
  Weights unknown(config);
  unknown.add_floats("model.layers.9.mlp.up_proj.weight", {1});
  EXPECT_TRUE(contains(save_error(unknown, nullptr), "'model.layers.9.mlp.up_proj.weight'"));
  Weights codes(config, true);
  EXPECT_TRUE(contains(save_error(codes, nullptr), "has no quantization_config"));
  codes.find("model.layers.0.mlp.up_proj.weight_scale")->name = "elsewhere";
  EXPECT_TRUE(
      contains(save_error(codes, int8_quantization_config({})), "'model.layers.0.mlp.up_proj.weight_scale' beside"));
  Weights embedding(config);
  embedding.find("model.embed_tokens.weight")->type = DataType::i8;
  EXPECT_TRUE(contains(save_error(embedding, int8_quantization_config({})), "'model.embed_tokens.weight'"));
  Weights scale(config, true);
  scale.find("model.layers.0.mlp.up_proj.weight_scale")->shape = {1, 12};
  EXPECT_TRUE(contains(save_error(scale, int8_quantization_config({})), "F32[1,12]"));
  EXPECT_FALSE(std::filesystem::exists(folder / "model"));
}

/// Transformers 5.24, modeling_utils.py, tie_weights: two different matrices in the file are not tied.
TEST(ModelFolder, AHeadBesideATiedEmbedding) {
  const TemporaryFolder folder;
  const ModelConfig tied = tiny_config(true), untied = tiny_config(false);
  Weights weights(untied);
  host::write_json(folder / "config.json", to_json(tied));
  write_safetensors(folder / "model.safetensors", weights.views);
  const ModelFolder own(folder.path());
  EXPECT_FALSE(own.config().tie_word_embeddings);
  EXPECT_EQ(own.head().weight->name, "lm_head.weight");
  ASSERT_EQ(own.notices().size(), 1U);
  EXPECT_TRUE(contains(own.notices()[0], "lm_head.weight and model.embed_tokens.weight differ"));

  const TemporaryFolder copied;
  weights.find("lm_head.weight")->data = weights.find("model.embed_tokens.weight")->data;
  host::write_json(copied / "config.json", to_json(tied));
  write_safetensors(copied / "model.safetensors", weights.views);
  const ModelFolder copy(copied.path());
  EXPECT_TRUE(copy.config().tie_word_embeddings);
  EXPECT_EQ(copy.weight_bytes(), tied.parameters() * 4) << "the copy counts once";
  ASSERT_EQ(copy.notices().size(), 1U);
  EXPECT_TRUE(contains(copy.notices()[0], "lm_head.weight repeats model.embed_tokens.weight"));
}

TEST(ModelFolder, SaysWhatNothingReads) {
  const TemporaryFolder folder;
  const ModelConfig config = tiny_config(true);
  Weights weights(config);
  for (const char* name : {"model.layers.2.mlp.up_proj.weight", "model.layers.0.self_attn.rotary_emb.inv_freq",
                           "model.layers.1.self_attn.k_scale", "visual.patch"})
    weights.add_floats(name, {2});
  host::write_json(folder / "config.json", to_json(config));
  write_safetensors(folder / "model.safetensors", weights.views);
  const ModelFolder model(folder.path());
  EXPECT_EQ(model.notices(),
            (std::vector<std::string>{"model.layers.2.* (1 tensors) is not read: config.json's num_hidden_layers is 2",
                                      "2 tensors are not read: model.layers.1.self_attn.k_scale, visual.patch"}));
  EXPECT_EQ(model.weight_bytes(), config.parameters() * 4);
  weights.add_floats("model.layers.0.self_attn.q_proj.bias", {12});
  std::filesystem::remove(folder / "model.safetensors");
  write_safetensors(folder / "model.safetensors", weights.views);
  EXPECT_TRUE(contains(open_error(folder.path()),
                       "'model.layers.0.self_attn.q_proj.bias': expected none, because "
                       "config.json's attention_bias is false"));
}

TEST(ModelFolder, FilesInThePlaceOfFoldersSayWhatTheyAre) {
  const TemporaryFolder folder;
  host::write_file_atomically(folder / "x.gguf", "GGUF");
  EXPECT_TRUE(contains(open_error(folder / "x.gguf"), "found a GGUF file; make a folder of it with `retort import`"));
  host::write_json(folder / "config.json", to_json(tiny_config(true)));
  host::write_file_atomically(folder / "model.safetensors",
                              "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n");
  EXPECT_TRUE(contains(open_error(folder.path()), "a Git LFS pointer"));
}

TEST(ModelFolder, RefusesOtherQuantisationsByField) {
  const TemporaryFolder folder;
  const ModelConfig config = tiny_config(true);
  const Weights weights(config, true);
  const std::pair<const char*, Json> cases[] = {{"/quant_method", "gptq"},
                                                {"/format", "pack-quantized"},
                                                {"/kv_cache_scheme", Json::object()},
                                                {"/quantization_status", "frozen"},
                                                {"/config_groups", Json::object()},
                                                {"/config_groups/group_0/weights/num_bits", 3},
                                                {"/config_groups/group_0/weights/strategy", "group"},
                                                {"/config_groups/group_0/weights/symmetric", false},
                                                {"/config_groups/group_0/weights/type", "float"},
                                                {"/config_groups/group_0/input_activations", Json::object()},
                                                {"/config_groups/group_0/input_activations/dynamic", false},
                                                {"/config_groups/group_0/output_activations", Json::object()}};
  save_model(folder.path(), config, weights.views, int8_quantization_config({}));
  const Json good = host::read_json(folder / "config.json");
  for (const auto& [place, value] : cases) {
    Json bad = good;
    bad["quantization_config"][Json::json_pointer(place)] = value;
    host::write_json(folder / "config.json", bad);
    const std::string error = open_error(folder.path());
    EXPECT_TRUE(contains(error, std::string("/quantization_config") + place)) << error;
  }
}

TEST(ModelFolder, KeepsTheOldModelWhenSavingFails) {
  const TemporaryFolder folder;
  const ModelConfig config = tiny_config(true);
  Weights weights(config);
  save_model(folder.path(), config, weights.views);
  weights.views.pop_back();
  EXPECT_THROW(save_model(folder.path(), config, weights.views), std::invalid_argument);
  EXPECT_EQ(open_error(folder.path()), "");
}

}  // namespace
}  // namespace retort::model
