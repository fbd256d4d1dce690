// config.json of real models of each family, round trips, and refusals by field name.
#include "model/model_config.h"

#include <cmath>

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

TEST(ModelConfig, PromptsReadInBothDirectionsHaveAFamilyOfTheirOwn) {
  Json json = smollm2();
  json["architectures"] = {"PrefixLlamaForCausalLM"};
  EXPECT_TRUE(contains(error_of([&] { model_config_from_json(json, "config.json"); }), "prompt_end_token_id"));
  json["prompt_end_token_id"] = 49152;
  EXPECT_TRUE(contains(error_of([&] { model_config_from_json(json, "config.json"); }), "/prompt_end_token_id"));
  json["prompt_end_token_id"] = 7;
  const ModelConfig config = model_config_from_json(json, "config.json");
  EXPECT_EQ(config.read_both_ways(std::vector<int>{1, 2, 7, 3, 7}), 3);
  EXPECT_EQ(config.read_both_ways(std::vector<int>{1, 2}), 0);
  EXPECT_EQ(model_config_from_json(to_json(config), "config.json"), config);
  // By its type too no other program takes it for a Llama.
  EXPECT_EQ(to_json(config).at("model_type"), "prefix_llama");
  EXPECT_EQ(model_config_from_json(smollm2(), "config.json").read_both_ways(std::vector<int>{7, 7}), 0);
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

/// Qwen/Qwen2.5-0.5B's config.json.
Json qwen2() {
  return Json::parse(R"({"architectures": ["Qwen2ForCausalLM"], "attention_dropout": 0.0, "bos_token_id": 151643,
    "eos_token_id": 151643, "hidden_act": "silu", "hidden_size": 896, "initializer_range": 0.02,
    "intermediate_size": 4864, "max_position_embeddings": 32768, "max_window_layers": 24, "model_type": "qwen2",
    "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2, "rms_norm_eps": 1e-06,
    "rope_theta": 1000000.0, "sliding_window": 32768, "tie_word_embeddings": true, "torch_dtype": "bfloat16",
    "use_cache": true, "use_mrope": false, "use_sliding_window": false, "vocab_size": 151936})");
}

/// Qwen/Qwen3-0.6B's config.json.
Json qwen3() {
  return Json::parse(R"({"architectures": ["Qwen3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "bos_token_id": 151643, "eos_token_id": 151645, "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024,
    "initializer_range": 0.02, "intermediate_size": 3072, "max_position_embeddings": 40960, "max_window_layers": 28,
    "model_type": "qwen3", "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06, "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null,
    "tie_word_embeddings": true, "torch_dtype": "bfloat16", "use_cache": true, "use_sliding_window": false,
    "vocab_size": 151936})");
}

/// meta-llama/Llama-3.2-1B's config.json.
Json llama3() {
  return Json::parse(R"({"architectures": ["LlamaForCausalLM"], "attention_bias": false, "bos_token_id": 128000,
    "eos_token_id": 128001, "head_dim": 64, "hidden_act": "silu", "hidden_size": 2048, "intermediate_size": 8192,
    "max_position_embeddings": 131072, "mlp_bias": false, "model_type": "llama", "num_attention_heads": 32,
    "num_hidden_layers": 16, "num_key_value_heads": 8, "pretraining_tp": 1, "rms_norm_eps": 1e-05,
    "rope_scaling": {"factor": 32.0, "high_freq_factor": 4.0, "low_freq_factor": 1.0,
      "original_max_position_embeddings": 8192, "rope_type": "llama3"},
    "rope_theta": 500000.0, "tie_word_embeddings": true, "torch_dtype": "bfloat16", "vocab_size": 128256})");
}

TEST(ModelConfig, ReadsQwen2) {
  const ModelConfig config = model_config_from_json(qwen2(), "config.json");
  EXPECT_EQ(config.architecture, "Qwen2ForCausalLM");
  EXPECT_TRUE(config.input_bias);
  EXPECT_FALSE(config.output_bias);
  EXPECT_FALSE(config.query_key_norm);
  EXPECT_EQ(config.window(23), 0);            // use_sliding_window is off
  EXPECT_EQ(config.parameters(), 494032768);  // as its model card counts
}

TEST(ModelConfig, ReadsQwen3) {
  const ModelConfig config = model_config_from_json(qwen3(), "config.json");
  EXPECT_TRUE(config.query_key_norm);
  EXPECT_FALSE(config.input_bias);
  EXPECT_EQ(config.head_dim, 128);  // not hidden_size / num_attention_heads
  EXPECT_EQ(config.parameters(), 596049920);
  Json biased = qwen3();
  biased["attention_bias"] = true;
  const ModelConfig with_bias = model_config_from_json(biased, "config.json");
  EXPECT_EQ(with_bias.parameters() - config.parameters(), 28 * (128 * (16 + 2 * 8) + 1024));
}

TEST(ModelConfig, ReadsLlama3) {
  const ModelConfig config = model_config_from_json(llama3(), "config.json");
  EXPECT_EQ(config.rope_scaling.type, RopeType::llama3);
  EXPECT_EQ(config.parameters(), 1235814400);  // as its model card counts
}

/// google/gemma-3-270m's config.json.
Json gemma3() {
  Json json = Json::parse(R"({"architectures": ["Gemma3ForCausalLM"], "attention_bias": false, "attention_dropout": 0.0,
    "attn_logit_softcapping": null, "bos_token_id": 2, "eos_token_id": 1, "final_logit_softcapping": null,
    "head_dim": 256, "hidden_activation": "gelu_pytorch_tanh", "hidden_size": 640, "initializer_range": 0.02,
    "intermediate_size": 2048, "max_position_embeddings": 32768, "model_type": "gemma3_text",
    "num_attention_heads": 4, "num_hidden_layers": 18, "num_key_value_heads": 1, "pad_token_id": 0,
    "query_pre_attn_scalar": 256, "rms_norm_eps": 1e-06, "rope_local_base_freq": 10000.0, "rope_scaling": null,
    "rope_theta": 1000000.0, "sliding_window": 512, "torch_dtype": "bfloat16", "use_bidirectional_attention": false,
    "use_cache": true, "vocab_size": 262144})");
  for (int i = 0; i < 18; ++i) json["layer_types"].push_back(i % 6 == 5 ? "full_attention" : "sliding_attention");
  return json;
}

TEST(ModelConfig, ReadsGemma3) {
  const ModelConfig config = model_config_from_json(gemma3(), "config.json");
  EXPECT_EQ(config.parameters(), 268098176);  // as its model card counts: 168M in the embedding, 100M in the layers
  EXPECT_TRUE(config.tie_word_embeddings) << "its class's default";
  EXPECT_TRUE(config.norm_adds_one && config.block_output_norm && config.query_key_norm);
  EXPECT_EQ(config.activation, Activation::gelu_tanh);
  EXPECT_EQ(config.attention_divisor(), 16);
  EXPECT_EQ(config.window(4), 512);
  EXPECT_EQ(config.window(5), 0);
  EXPECT_TRUE(config.turns_locally(4));
  EXPECT_DOUBLE_EQ(rope_frequencies(config, 4)[64], 0.01);   // 10000^(-2·64/256)
  EXPECT_DOUBLE_EQ(rope_frequencies(config, 5)[64], 0.001);  // 1000000^(-2·64/256)
  EXPECT_EQ(config.embedding_factor(), 25.25) << "√640 = 25.298 in bf16";
  Json json = gemma3();
  json["torch_dtype"] = "float32";
  EXPECT_EQ(model_config_from_json(json, "config.json").embedding_factor(), double{std::sqrt(640.0F)});
  // The pattern instead of names, and Transformers 5's rope_parameters instead of the two bases.
  json = gemma3();
  json.erase("layer_types");
  json["sliding_window_pattern"] = 6;
  EXPECT_EQ(model_config_from_json(json, "config.json"), config);
  json = gemma3();
  for (const char* key : {"rope_local_base_freq", "rope_theta", "rope_scaling"}) json.erase(key);
  json["rope_parameters"] = {{"full_attention", {{"rope_type", "linear"}, {"factor", 8.0}, {"rope_theta", 1e6}}},
                             {"sliding_attention", {{"rope_type", "default"}, {"rope_theta", 1e4}}}};
  const ModelConfig scaled = model_config_from_json(json, "config.json");
  EXPECT_EQ(rope_frequencies(scaled, 4), rope_frequencies(config, 4)) << "only layers that see everything are scaled";
  EXPECT_DOUBLE_EQ(rope_frequencies(scaled, 5)[64], 0.001 / 8);
}

TEST(ModelConfig, RefusesGemmasThatDoNotFit) {
  const auto refusal = [](const char* key, const Json& value) {
    Json json = gemma3();
    if (value.is_discarded())
      json.erase(key);
    else
      json[key] = value;
    return error_of([&] { model_config_from_json(json, "config.json"); });
  };
  const Json absent(Json::value_t::discarded);
  EXPECT_TRUE(contains(refusal("rope_local_base_freq", absent), "expected a rope_local_base_freq"));
  EXPECT_TRUE(contains(refusal("rope_local_base_freq", 0.0), "rope_theta: expected a number above 0"));
  EXPECT_TRUE(contains(refusal("final_logit_softcapping", 30.0), "/final_logit_softcapping: expected null (soft caps"));
  EXPECT_TRUE(contains(refusal("attn_logit_softcapping", 50.0), "/attn_logit_softcapping: expected null"));
  EXPECT_TRUE(contains(refusal("sliding_window_pattern", 5), "/sliding_window_pattern: expected the pattern of"));
  EXPECT_TRUE(contains(refusal("layer_types", Json::array({"full_attention"})), "/layer_types: expected 18 names"));
  EXPECT_TRUE(contains(refusal("query_pre_attn_scalar", -1.0), "/query_pre_attn_scalar: expected a number above 0"));
  EXPECT_TRUE(contains(refusal("hidden_activation", "silu"), "/hidden_activation: expected"));
  EXPECT_TRUE(contains(refusal("use_bidirectional_attention", true), "/use_bidirectional_attention: expected false"));
  EXPECT_TRUE(contains(refusal("architectures", {"Gemma2ForCausalLM"}), "\"Gemma3ForCausalLM\""));
}

TEST(ModelConfig, EveryFamilyRoundTrips) {
  for (const Json& json : {qwen2(), qwen3(), llama3(), gemma3()}) {
    const ModelConfig config = model_config_from_json(json, "config.json");
    EXPECT_EQ(model_config_from_json(to_json(config), "again"), config);
  }
  ModelConfig config = model_config_from_json(qwen2(), "config.json");
  config.sliding_window = 100;
  config.sliding_layers.assign(24, false);
  config.sliding_layers[3] = true;
  EXPECT_EQ(model_config_from_json(to_json(config), "again"), config);
  config.architecture = "GemmaForCausalLM";
  EXPECT_TRUE(contains(error_of([&] { to_json(config); }), "found \"GemmaForCausalLM\""));
}

TEST(ModelConfig, SlidingWindowsStandByLayerOrFromALayerOn) {
  Json json = qwen2();
  json["use_sliding_window"] = true;
  json["sliding_window"] = 64;
  json["max_window_layers"] = 22;
  ModelConfig config = model_config_from_json(json, "config.json");
  EXPECT_EQ(config.window(21), 0);
  EXPECT_EQ(config.window(22), 64);
  json["layer_types"] = Json::array();
  for (int i = 0; i < 24; ++i) json["layer_types"].push_back(i == 1 ? "sliding_attention" : "full_attention");
  config = model_config_from_json(json, "config.json");
  EXPECT_EQ(config.window(1), 64);
  EXPECT_EQ(config.window(22), 0);
  json["use_sliding_window"] = false;
  EXPECT_TRUE(contains(error_of([&] { model_config_from_json(json, "config.json"); }), "/layer_types"));
  json["layer_types"][5] = "chunked_attention";
  EXPECT_TRUE(contains(error_of([&] { model_config_from_json(json, "config.json"); }), "/layer_types/5"));
  json["layer_types"].erase(0);
  EXPECT_TRUE(contains(error_of([&] { model_config_from_json(json, "config.json"); }), "expected 24 names"));
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

  Json qwen = json;
  qwen["model_type"] = "qwen3";
  qwen["num_attention_heads"] = 32;
  const ModelConfig other = model_config_from_json(qwen, "config.json");
  EXPECT_EQ(other.head_dim, 128);
  EXPECT_EQ(other.kv_heads, 32);
  EXPECT_EQ(other.max_positions, 32768);
  EXPECT_EQ(other.eos_token, -1);
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

/// Transformers 5.24, modeling_rope_utils.py: convert_rope_params_to_dict and standardize_rope_params.
TEST(ModelConfig, SettlesWhatRopeKeysSayTwice) {
  const auto read = [](const Json& more) {
    Json json = smollm2();
    json.update(more);
    return model_config_from_json(json, "config.json");
  };
  const Json yarn = {{"rope_type", "yarn"}, {"factor", 4.0}};
  EXPECT_EQ(
      read({{"rope_theta", 1.0}, {"rope_parameters", {{"rope_type", "default"}, {"rope_theta", 5.0}}}}).rope_theta, 5);
  EXPECT_EQ(read({{"rope_theta", 1.0}, {"rope_parameters", {{"rope_type", "default"}}}}).rope_theta, 1);
  EXPECT_EQ(read({{"rope_scaling", {{"rope_type", "default"}, {"rope_theta", 7.0}}}}).rope_theta, 7);
  const ModelConfig both = read({{"rope_scaling", yarn}, {"rope_parameters", {{"rope_type", "default"}}}});
  EXPECT_EQ(both.rope_scaling.type, RopeType::yarn) << "rope_scaling comes first";
  EXPECT_EQ(both.rope_scaling.original_positions, both.max_positions);
  EXPECT_EQ(read({{"rope_scaling", yarn}, {"original_max_position_embeddings", 64}}).rope_scaling.original_positions,
            64);
  Json inside = yarn;
  inside["original_max_position_embeddings"] = 32;
  EXPECT_EQ(read({{"rope_scaling", inside}, {"original_max_position_embeddings", 64}}).rope_scaling.original_positions,
            64);
  EXPECT_EQ(read({{"rope_scaling", inside}}).rope_scaling.original_positions, 32);
  const Json llama3 = {{"rope_type", "llama3"}, {"factor", 8.0}, {"low_freq_factor", 1.0}, {"high_freq_factor", 4.0}};
  EXPECT_EQ(read({{"rope_scaling", llama3}}).rope_scaling.original_positions, both.max_positions);
}

TEST(ModelConfig, RopeParametersOfLayerTypes) {
  const auto read = [](const Json& by_type, const Json& more = Json::object()) {
    Json json = smollm2();
    json["rope_parameters"] = by_type;
    json.update(more);
    return model_config_from_json(json, "config.json");
  };
  const Json five = {{"rope_type", "default"}, {"rope_theta", 5.0}},
             six = {{"rope_type", "default"}, {"rope_theta", 6.0}};
  EXPECT_EQ(read({{"full_attention", five}, {"sliding_attention", nullptr}}).rope_theta, 5);
  EXPECT_EQ(read({{"full_attention", five}, {"sliding_attention", six}}).rope_theta, 5) << "no layer slides";
  const auto refusal = [&](const Json& by_type, const Json& more = Json::object()) {
    return error_of([&] { read(by_type, more); });
  };
  const Json types = {{"layer_types", {"full_attention", "sliding_attention"}}};
  EXPECT_TRUE(contains(refusal({{"full_attention", five}, {"sliding_attention", six}}, types),
                       "/rope_parameters/sliding_attention: expected the same as of \"full_attention\""));
  EXPECT_TRUE(
      contains(refusal({{"sliding_attention", five}}), "expected values for the layer type \"full_attention\""));
  EXPECT_TRUE(
      contains(refusal({{"full_attention", five}, {"rope_type", "yarn"}}), "/rope_parameters/rope_type: expected"));
  EXPECT_TRUE(contains(refusal({{"rope_type", "default"}, {"partial_rotary_factor", 0.5}}), "/partial_rotary_factor"));
}

TEST(ModelConfig, RefusesByField) {
  const std::pair<const char*, Json> cases[] = {{"architectures", {"GemmaForCausalLM"}},
                                                {"hidden_act", "gelu"},
                                                {"attention_bias", 1},
                                                {"mlp_bias", true},
                                                {"rope_scaling", {{"rope_type", "llama3"}, {"factor", 8.0}}},
                                                {"rope_scaling", {{"factor", 2.0}}},
                                                {"rope_parameters", {{"rope_type", "dynamic"}, {"factor", 2.0}}},
                                                {"rope_interleaved", true},
                                                {"logit_scale", 0.0625},
                                                {"logits_scaling", 8.0},
                                                {"embedding_multiplier", 12},
                                                {"residual_multiplier", 0.22},
                                                {"final_logit_softcapping", 30.0},
                                                {"attn_logit_softcapping", 50.0},
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
