// Small Gemma 3 models on the runtime and its reference: the logits are Transformers' (gemma3_golden.json, made by
// gemma3_golden.py, whose formula for weights stands here again).
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "model/model_folder.h"
#include "runtime/decoder/decoder.h"
#include "runtime/decoder/reference.h"

namespace retort::interop {
namespace {

using Json = nlohmann::json;

constexpr std::int64_t layers = 7;

Json config_of(double factor) {
  Json json = {{"architectures", {"Gemma3ForCausalLM"}},
               {"model_type", "gemma3_text"},
               {"vocab_size", 97},
               {"hidden_size", 48},
               {"intermediate_size", 80},
               {"num_hidden_layers", layers},
               {"num_attention_heads", 4},
               {"num_key_value_heads", 2},
               {"head_dim", 16},
               {"max_position_embeddings", 256},
               {"sliding_window", 5},
               {"sliding_window_pattern", 6},
               {"query_pre_attn_scalar", 20},
               {"rope_theta", 1e6},
               {"rope_local_base_freq", 1e4},
               {"torch_dtype", "float32"}};
  if (factor != 1) json["rope_scaling"] = {{"rope_type", "linear"}, {"factor", factor}};
  return json;
}

struct Named {
  std::string name;
  double scale;
};

std::vector<Named> tensor_names() {
  std::vector<Named> names = {{"model.embed_tokens.weight", 2.0}};
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    const std::string prefix = "model.layers." + std::to_string(layer) + ".";
    for (const char* norm : {"input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
                             "post_feedforward_layernorm", "self_attn.q_norm", "self_attn.k_norm"})
      names.push_back({prefix + norm + ".weight", 0.8});
    for (const char* matrix : {"self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
                               "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"})
      names.push_back({prefix + matrix + ".weight", 0.6});
  }
  names.push_back({"model.norm.weight", 0.8});
  return names;
}

void write_model(const std::filesystem::path& folder, double factor) {
  const model::ModelConfig config = model::model_config_from_json(config_of(factor), "config.json");
  std::map<std::string, std::vector<std::int64_t>> shapes;
  for (const auto& [name, shape] : model::tensor_shapes(config)) shapes[name] = shape;
  const std::vector<Named> names = tensor_names();
  ASSERT_EQ(names.size(), shapes.size());
  std::deque<std::vector<float>> owned;
  std::vector<model::StoredTensor> tensors;
  for (std::uint64_t number = 0; number < names.size(); ++number) {
    const std::vector<std::int64_t>& shape = shapes.at(names[number].name);
    std::uint64_t count = 1;
    for (const std::int64_t size : shape) count *= static_cast<std::uint64_t>(size);
    std::vector<float>& values = owned.emplace_back(count);
    for (std::uint64_t i = 0; i < count; ++i) {
      const std::uint64_t bits = (i * 2654435761ULL + number * 40503 + 12345) & 0xFFFFFFFFULL;
      values[i] = static_cast<float>(names[number].scale * (static_cast<double>(bits) / 4294967296.0 - 0.5));
    }
    tensors.push_back(
        {names[number].name, model::DataType::f32, shape, reinterpret_cast<const std::byte*>(values.data())});
  }
  model::save_model(folder, config, tensors);
}

double greatest_difference(const std::vector<float>& logits, const Json& expected) {
  constexpr std::size_t vocabulary = 97, first = 8;
  double greatest = 0;
  for (std::size_t t = 0; t < expected.size(); ++t)
    for (std::size_t i = 0; i < expected[t].size(); ++i) {
      const std::size_t token = i < first ? i : vocabulary - expected[t].size() + i;
      greatest = std::max(greatest, std::fabs(double{logits[t * vocabulary + token]} - expected[t][i].get<double>()));
    }
  return greatest;
}

TEST(Gemma3Golden, LogitsAreTransformers) {
  const Json golden = host::read_json(std::string(RETORT_INTEROP) + "/gemma3_golden.json");
  ASSERT_EQ(golden.at("cases").size(), 2U);
  std::vector<std::int32_t> tokens;  // more than the window, so that what slides out of it counts
  for (int i = 0; i < 23; ++i) tokens.push_back((i * 37 + 11) % 97);
  for (const Json& one : golden.at("cases")) {
    const tests::TemporaryFolder temporary;
    write_model(temporary / "model", one.at("factor").get<double>());
    const model::ModelFolder folder(temporary / "model");
    ASSERT_EQ(one.at("logits").size(), tokens.size());
    const std::vector<float> reference =
        runtime::ReferenceModel(folder, runtime::ReferenceModel::Activations::f32).forward_all(tokens);
    // Logits reach 20; float32 on both sides, added in another order.
    EXPECT_LT(greatest_difference(reference, one.at("logits")), 1e-4) << one.at("factor");
    runtime::DecoderOptions options;
    options.kv_cache = runtime::KvType::f32;
    runtime::Decoder decoder(folder, options);
    EXPECT_LT(greatest_difference(decoder.forward_all(tokens), one.at("logits")), 1e-4) << one.at("factor");
  }
}

}  // namespace
}  // namespace retort::interop
