// config.json of real Llama models, round trips, and refusals by field name.
#include "model/model_config.h"

#include "fixtures.h"

namespace retort::model {
namespace {

using tests::contains;
using tests::error_of;
using Json = nlohmann::json;

/// HuggingFaceTB/SmolLM2-135M's config.json.
Json smollm2() {
  return Json::parse(R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "bos_token_id": 0, "eos_token_id": 0, "hidden_act": "silu", "hidden_size": 576, "initializer_range": 0.041666666666666664,
    "intermediate_size": 1536, "is_llama_config": true, "max_position_embeddings": 8192, "model_type": "llama",
    "num_attention_heads": 9, "num_hidden_layers": 30, "num_key_value_heads": 3, "pretraining_tp": 1,
    "rms_norm_eps": 1e-05, "rope_interleaved": false, "rope_scaling": null, "rope_theta": 100000,
    "tie_word_embeddings": true, "torch_dtype": "bfloat16", "transformers_version": "4.40.1", "use_cache": true,
    "vocab_size": 49152})");
}

TEST(ModelConfig, ReadsSmolLm2) {
  const ModelConfig config = model_config_from_json(smollm2(), "config.json");
  EXPECT_EQ(config.vocabulary_size, 49152);
  EXPECT_EQ(config.kv_heads, 3);
  EXPECT_EQ(config.head_dim, 64);
  EXPECT_EQ(config.rope_theta, 100000.0);
  EXPECT_EQ(config.bos_token, 0);
  EXPECT_EQ(config.pad_token, -1);
  EXPECT_EQ(config.parameters(), 134515008);  // as its model card counts
}

TEST(ModelConfig, FillsInTransformersDefaults) {
  const Json json = {{"model_type", "llama"},  {"vocab_size", 512},        {"hidden_size", 64},
                     {"num_hidden_layers", 5}, {"intermediate_size", 172}, {"num_attention_heads", 8}};
  const ModelConfig config = model_config_from_json(json, "config.json");
  EXPECT_EQ(config.kv_heads, 8);
  EXPECT_EQ(config.head_dim, 8);
  EXPECT_EQ(config.max_positions, 2048);
  EXPECT_EQ(config.rms_norm_epsilon, 1e-6);
  EXPECT_FALSE(config.tie_word_embeddings);
  EXPECT_EQ(config.eos_token, 2);
}

TEST(ModelConfig, RoundTrips) {
  ModelConfig config = model_config_from_json(smollm2(), "config.json");
  config.heads = 6;  // a pruned model keeps its heads' size
  config.pad_token = 7;
  config.bos_token = -1;
  EXPECT_EQ(model_config_from_json(to_json(config), "again"), config);
}

TEST(ModelConfig, ReadsNewerSpellings) {
  Json json = smollm2();
  json.erase("rope_theta");
  json["rope_parameters"] = {{"rope_type", "default"}, {"rope_theta", 5000.0}};
  json["eos_token_id"] = {11, 12};
  const ModelConfig config = model_config_from_json(json, "config.json");
  EXPECT_EQ(config.rope_theta, 5000.0);
  EXPECT_EQ(config.eos_token, 11);
}

TEST(ModelConfig, RefusesByField) {
  const std::pair<const char*, Json> cases[] = {{"architectures", {"GemmaForCausalLM"}},
                                                {"hidden_act", "gelu"},
                                                {"attention_bias", true},
                                                {"mlp_bias", true},
                                                {"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8.0}}},
                                                {"rope_scaling", {{"factor", 2.0}}},
                                                {"rope_parameters", {{"rope_type", "yarn"}}},
                                                {"rope_interleaved", true},
                                                {"sliding_window", 4096},
                                                {"vocab_size", 0},
                                                {"vocab_size", "512"},
                                                {"hidden_size", 1e30},
                                                {"num_hidden_layers", -1},
                                                {"num_attention_heads", 10},
                                                {"num_key_value_heads", 2},
                                                {"head_dim", 63},
                                                {"rms_norm_eps", -1.0},
                                                {"rope_theta", 0.0},
                                                {"tie_word_embeddings", 1},
                                                {"eos_token_id", "x"}};
  for (const auto& [field, value] : cases) {
    Json json = smollm2();
    json[field] = value;
    const std::string error = error_of([&] { model_config_from_json(json, "config.json"); });
    const bool by_other_field = contains(field, "num_attention_heads");  // 576 is no multiple of 10 heads
    EXPECT_TRUE(contains(error, field) || by_other_field) << field << "=" << value << ": " << error;
    EXPECT_TRUE(contains(error, "config.json: ")) << error;
  }
  for (const char* field : {"vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers"}) {
    Json json = smollm2();
    json.erase(field);
    EXPECT_TRUE(contains(error_of([&] { model_config_from_json(json, "config.json"); }), field));
  }
  EXPECT_THROW(model_config_from_json(Json::array(), "config.json"), std::invalid_argument);
}

}  // namespace
}  // namespace retort::model
