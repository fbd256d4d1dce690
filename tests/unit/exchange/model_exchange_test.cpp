// Whole models: out and in again without loss, quantised codes kept, and what must not happen to the target.
#include "exchange/model_exchange.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "exchange/folder_source.h"
#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "model/gguf_file.h"
#include "model/gguf_writer.h"
#include "model/half_precision.h"
#include "model/model_folder.h"
#include "model/quantization_config.h"
#include "random_model.h"

namespace retort::exchange {
namespace {

namespace fs = std::filesystem;
using runtime::testing::awkward_config;
using runtime::testing::Storage;
using tests::contains;
using tests::error_of;
using tests::TemporaryFolder;

model::ModelConfig exportable(const std::string& family) {
  model::ModelConfig config = family.empty() ? awkward_config() : awkward_config(family);
  config.sliding_layers.clear();
  config.sliding_window = 0;
  if (family == "qwen2") config.rope_scaling = {};
  if (family == "gemma3") {
    config.sliding_layers.assign(3, true);  // every sixth layer, which three do not reach, looks at everything
    config.sliding_window = 7;
    config.local_rope_theta = 10000;
    config.attention_scalar = static_cast<double>(config.head_dim);
  }
  if (family == "llama3") {
    config.rope_scaling.original_positions = 8192;
    config.rope_theta = 500000;
    config.head_dim = 64;
  }
  return config;
}

void write_model(const fs::path& folder, const model::ModelConfig& config, Storage storage = Storage::f32) {
  runtime::testing::write_model(folder, config, runtime::testing::random_weights(config, 3), storage);
}

TEST(ModelExchange, EveryFamilySurvivesGgufToTheByte) {
  for (const char* family : {"", "llama3", "qwen2", "qwen3", "gemma3"}) {
    const TemporaryFolder folder;
    const model::ModelConfig config = exportable(family);
    runtime::testing::Weights weights = runtime::testing::random_weights(config, 3);
    if (config.norm_adds_one)  // as f32 holds beside the 1 that GGUF's have added
      for (auto& [name, values] : weights)
        for (float& value : values)
          if (name.ends_with("norm.weight")) value = std::nearbyint(value * 1024) / 1024;
    runtime::testing::write_model(folder / "one", config, weights, Storage::f32);
    export_to_gguf(folder / "one", folder / "m.gguf", {});
    const ExchangeResult result = import_model(folder / "m.gguf", folder / "two/", {});
    EXPECT_EQ(result.config, config) << family;
    EXPECT_EQ(model::ModelFolder(folder / "two").config(), config) << family;
    EXPECT_TRUE(host::read_file(folder / "one" / "model.safetensors") ==
                host::read_file(folder / "two" / "model.safetensors"))
        << family;
  }
}

TEST(ModelExchange, QueriesAndKeysAreInterleavedForLlamaAlone) {
  for (const char* family : {"llama3", "qwen2"}) {
    const TemporaryFolder folder;
    const model::ModelConfig config = exportable(family);
    write_model(folder / "one", config);
    export_to_gguf(folder / "one", folder / "m.gguf", {});
    const model::ModelFolder source(folder / "one");
    const model::GgufFile file(folder / "m.gguf");
    const std::string module = "model.layers.1.self_attn.k_proj.";
    const auto expected_row = static_cast<std::size_t>(std::string(family) == "llama3" ? config.head_dim / 2 : 1);
    const std::size_t row_bytes = static_cast<std::size_t>(config.hidden_size) * sizeof(float);
    EXPECT_EQ(std::memcmp(file.find("blk.1.attn_k.weight")->data + row_bytes,
                          source.tensor(module + "weight").data + expected_row * row_bytes, row_bytes),
              0)
        << family;
    EXPECT_EQ(std::memcmp(file.find("blk.1.attn_k.bias")->data + sizeof(float),
                          source.tensor(module + "bias").data + expected_row * sizeof(float), sizeof(float)),
              0)
        << family;
    EXPECT_EQ(file.find("rope_freqs.weight") != nullptr, std::string(family) == "llama3");
  }
}

model::ModelConfig rows_of_blocks() {
  model::ModelConfig config = awkward_config();
  config.hidden_size = 64;
  config.intermediate_size = 96;
  config.head_dim = 16;
  return config;
}

TEST(ModelExchange, Int8CodesStayWhatTheyAreInQ8) {
  const TemporaryFolder folder;
  write_model(folder / "int8", rows_of_blocks(), Storage::int8);
  export_to_gguf(folder / "int8", folder / "m.gguf", {model::GgmlType::q8_0});
  const model::ModelFolder source(folder / "int8");
  const model::GgufFile file(folder / "m.gguf");
  const model::LinearWeight linear = source.linear("model.layers.2.mlp.down_proj");
  const model::GgufTensor& tensor = *file.find("blk.2.ffn_down.weight");
  ASSERT_EQ(tensor.type, model::GgmlType::q8_0);
  for (std::size_t row = 0; row < 64; ++row) {
    float scale = 0;
    std::memcpy(&scale, linear.scale->data + row * sizeof(float), sizeof(scale));
    for (std::size_t block = 0; block < 3; ++block) {
      const std::byte* bytes = tensor.data + (row * 3 + block) * 34;
      std::uint16_t half = 0;
      std::memcpy(&half, bytes, sizeof(half));
      EXPECT_EQ(half, model::to_f16(scale));
      EXPECT_EQ(std::memcmp(bytes + 2, linear.weight->data + row * 96 + block * 32, 32), 0) << row << " " << block;
    }
  }
}

TEST(ModelExchange, Int4CodesStayWhatTheyAreInQ4) {
  const TemporaryFolder folder;
  const model::ModelConfig config = rows_of_blocks();
  const runtime::testing::Weights weights = runtime::testing::random_weights(config, 3);
  std::vector<model::StoredTensor> tensors;
  for (const auto& [name, shape] : model::tensor_shapes(config))
    if (name != "model.layers.0.mlp.up_proj.weight")
      tensors.push_back(
          {name, model::DataType::f32, shape, reinterpret_cast<const std::byte*>(weights.at(name).data())});
  // One int4 module in groups of 32: codes 0…15 − 8 in turn, a scale per group.
  std::vector<std::int8_t> codes(96 * 64);
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::int8_t>(i * 7 % 16) - 8;
  const std::vector<std::int32_t> packed = model::pack_int4(codes, 96, 64);
  std::vector<float> scales(96 * 2);
  for (std::size_t i = 0; i < scales.size(); ++i) scales[i] = 0.25F + static_cast<float>(i) / 64;
  const std::vector<std::int64_t> shape = {96, 64};
  const std::string module = "model.layers.0.mlp.up_proj.";
  const auto view = [](const auto& values) { return reinterpret_cast<const std::byte*>(values.data()); };
  tensors.push_back({module + "weight_packed", model::DataType::i32, {96, 8}, view(packed)});
  tensors.push_back({module + "weight_scale", model::DataType::f32, {96, 2}, view(scales)});
  tensors.push_back({module + "weight_shape", model::DataType::i64, {2}, view(shape)});
  model::save_model(folder / "int4", config, tensors,
                    model::quantization_config({{{"model.layers.0.mlp.up_proj"}, {4, 32}}}, {"lm_head"}));
  export_to_gguf(folder / "int4", folder / "m.gguf", {model::GgmlType::q4_0});
  const model::GgufFile file(folder / "m.gguf");
  std::vector<float> values(codes.size());
  const model::GgufTensor& tensor = *file.find("blk.0.ffn_up.weight");
  ASSERT_EQ(tensor.type, model::GgmlType::q4_0);
  model::dequantise(tensor.type, tensor.data, values);
  for (std::size_t i = 0; i < values.size(); ++i)  // these scales are exact in f16
    ASSERT_EQ(values[i], static_cast<float>(codes[i]) * scales[i / 32]) << i;
  // The float form has the same values.
  export_to_folder(folder / "int4", folder / "float", {});
  const model::ModelFolder floats(folder / "float");
  EXPECT_FALSE(floats.quantized());
  EXPECT_EQ(model::to_f32(floats.tensor(module + "weight")), values);
}

TEST(ModelExchange, TypesAreKeptOrAsAsked) {
  const TemporaryFolder folder;
  write_model(folder / "f32", rows_of_blocks());
  export_to_folder(folder / "f32", folder / "bf16", {model::GgmlType::bf16});
  EXPECT_EQ(host::read_json(folder / "bf16" / "config.json").at("torch_dtype"), "bfloat16");
  export_to_gguf(folder / "bf16", folder / "bf16.gguf", {});
  const model::GgufFile file(folder / "bf16.gguf");
  EXPECT_EQ(file.find("blk.0.attn_q.weight")->type, model::GgmlType::bf16) << "as stored";
  EXPECT_EQ(file.find("blk.0.attn_norm.weight")->type, model::GgmlType::f32) << "vectors, as llama.cpp needs them";
  EXPECT_EQ(file.metadata().at("general.file_type"), model::GgufValue(std::uint32_t{32}));
  import_model(folder / "bf16.gguf", folder / "back", {});
  EXPECT_EQ(model::ModelFolder(folder / "back").tensor("model.layers.0.self_attn.q_proj.weight").type,
            model::DataType::bf16);
  import_model(folder / "bf16.gguf", folder / "f16", {model::DataType::f16});
  EXPECT_EQ(model::ModelFolder(folder / "f16").tensor("model.norm.weight").type, model::DataType::f16);
  EXPECT_TRUE(contains(error_of([&] { export_to_folder(folder / "f32", folder / "q", {model::GgmlType::q8_0}); }),
                       "dtype: expected f32, f16 or bf16 for a Hugging Face folder, found Q8_0"));
  EXPECT_TRUE(contains(error_of([&] { export_to_gguf(folder / "f32", folder / "q", {model::GgmlType::q6_k}); }),
                       "dtype: expected f32, f16, bf16, q8_0, q4_0 or q4_1, found Q6_K"));
}

TEST(ModelExchange, TheHeadOfFourBitFilesHasEightAndOddRowsAreHalf) {
  const TemporaryFolder folder;
  write_model(folder / "even", rows_of_blocks());
  export_to_gguf(folder / "even", folder / "even.gguf", {model::GgmlType::q4_0});
  const model::GgufFile even(folder / "even.gguf");
  EXPECT_EQ(even.find("token_embd.weight")->type, model::GgmlType::q8_0);
  EXPECT_EQ(even.find("blk.0.ffn_up.weight")->type, model::GgmlType::q4_0);
  write_model(folder / "odd", awkward_config());
  export_to_gguf(folder / "odd", folder / "odd.gguf", {model::GgmlType::q4_0});
  EXPECT_EQ(model::GgufFile(folder / "odd.gguf").find("blk.0.ffn_up.weight")->type, model::GgmlType::f16);
}

TEST(ModelExchange, ShardsOpenAndAMissingOneIsNamed) {
  const TemporaryFolder folder;
  write_model(folder / "one", awkward_config());
  export_to_gguf(folder / "one", folder / "m.gguf", {});
  ImportOptions options;
  options.shard_bytes = 100'000;
  const ExchangeResult result = import_model(folder / "m.gguf", folder / "two", options);
  EXPECT_TRUE(fs::exists(folder / "two" / "model.safetensors.index.json"));
  EXPECT_GT(result.files.size(), 5U);
  const model::ModelFolder one(folder / "one"), two(folder / "two");
  for (const auto& [name, shape] : model::tensor_shapes(one.config()))
    EXPECT_EQ(model::to_f32(one.tensor(name)), model::to_f32(two.tensor(name))) << name;
  const auto shard = std::find_if(result.files.begin(), result.files.end(),
                                  [](const fs::path& file) { return file.string().starts_with("model-00002-of"); });
  ASSERT_NE(shard, result.files.end());
  fs::remove(folder / "two" / *shard);
  EXPECT_TRUE(contains(error_of([&] { model::ModelFolder again(folder / "two"); }), shard->string()));
}

TEST(ModelExchange, TheTargetIsWholeOrAbsentAndNeverOverwritten) {
  const TemporaryFolder folder;
  write_model(folder / "one", awkward_config());
  export_to_gguf(folder / "one", folder / "m.gguf", {});
  const std::string content = host::read_file(folder / "m.gguf");
  EXPECT_TRUE(contains(error_of([&] { export_to_gguf(folder / "one", folder / "m.gguf", {}); }),
                       "expected a name that is free, found something; remove it or choose another name"));
  EXPECT_TRUE(contains(error_of([&] { import_model(folder / "m.gguf", folder / "one", {}); }), "a name that is free"));
  EXPECT_TRUE(contains(error_of([&] { import_model(folder / "m.gguf", folder / "a/b", {}); }), "make it first"));
  EXPECT_TRUE(contains(error_of([&] { import_model(folder / "none", folder / "x", {}); }), "found nothing"));
  EXPECT_TRUE(contains(error_of([&] { import_model(folder / "one", folder / "x", {}); }), "found a folder"));
  // Giving up in the middle, and a source that breaks only once it is read, leave nothing.
  const auto give_up = [](std::int64_t, std::int64_t) { throw std::runtime_error("gave up"); };
  EXPECT_EQ(error_of([&] { import_model(folder / "m.gguf", folder / "x", {}, give_up); }), "gave up");
  EXPECT_EQ(error_of([&] { export_to_gguf(folder / "one", folder / "x", {}, give_up); }), "gave up");
  EXPECT_EQ(error_of([&] { export_to_folder(folder / "one", folder / "x", {}, give_up); }), "gave up");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 2) << "the two that were there";
  EXPECT_TRUE(host::read_file(folder / "m.gguf") == content);
}

TEST(ModelExchange, FilesThatAreNotTheModelTheySayAreRefusedByTensor) {
  const TemporaryFolder folder;
  write_model(folder / "one", awkward_config());
  export_to_gguf(folder / "one", folder / "m.gguf", {});
  const model::GgufFile file(folder / "m.gguf");
  const auto rewritten = [&](const std::function<void(std::vector<model::GgufDeclaration>&)>& change) {
    std::vector<model::GgufDeclaration> tensors;
    for (const model::GgufTensor& tensor : file.tensors()) tensors.push_back({tensor.name, tensor.type, tensor.shape});
    change(tensors);
    model::write_gguf(folder / "changed.gguf", file.metadata(), tensors,
                      [](const model::GgufDeclaration& tensor, model::ByteSink& sink) {
                        sink.append(std::string(tensor.bytes(), '\0').data(), tensor.bytes());
                      });
    return error_of([&] { import_model(folder / "changed.gguf", folder / "x", {}); });
  };
  EXPECT_TRUE(contains(rewritten([](auto& tensors) { tensors.pop_back(); }),
                       "tensor 'output_norm.weight': expected [70], as its keys ask, found none"));
  EXPECT_TRUE(contains(rewritten([](auto& tensors) { tensors[2].shape = {60, 71}; }),
                       "tensor 'blk.0.attn_q.weight': expected [60,70], as its keys ask, found [60,71]"));
  EXPECT_TRUE(contains(
      rewritten([](auto& tensors) { tensors.push_back({"blk.0.ffn_gate_exps.weight", model::GgmlType::f32, {1}}); }),
      "tensor 'blk.0.ffn_gate_exps.weight': expected only tensors of a LlamaForCausalLM"));
  EXPECT_FALSE(fs::exists(folder / "x"));
}

}  // namespace
}  // namespace retort::exchange
