// stories260K (karpathy/tinyllamas) against golden tokens and logits made with llama2.c's run.c: an independent
// implementation of the same maths. The checkpoint is converted to a Hugging Face folder here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>

#include "host/files.h"
#include "random_model.h"
#include "runtime/generation.h"
#include "runtime/vector_kernels.h"
#include "text/llama2c_tokenizer.h"
#include "text/tokenizer.h"

namespace retort::runtime {
namespace {

using testing::Storage;
using testing::Weights;

std::filesystem::path data_folder() {
  const char* shared = std::getenv("RETORT_SHARED");
  return std::filesystem::path(shared != nullptr ? shared : RETORT_SHARED_DEFAULT) / "data" / "stories260K";
}

/// llama2.c version 0: seven int32 (dim, hidden_dim, layers, heads, kv_heads, vocabulary, positions), then f32 tensors,
/// each for all layers in turn.
class Llama2Checkpoint {
 public:
  explicit Llama2Checkpoint(const std::filesystem::path& path) : bytes_(host::read_file(path)) {
    std::int32_t header[7];
    std::memcpy(header, bytes_.data(), sizeof header);
    offset_ = sizeof header;
    config.hidden_size = header[0];
    config.intermediate_size = header[1];
    config.layers = header[2];
    config.heads = header[3];
    config.kv_heads = header[4];
    config.vocabulary_size = header[5];
    config.max_positions = header[6];
    config.head_dim = config.hidden_size / config.heads;
    const std::int64_t D = config.hidden_size, F = config.intermediate_size, kv = config.kv_heads * config.head_dim;
    weights["model.embed_tokens.weight"] = take(config.vocabulary_size * D);
    take_layers("input_layernorm", D);
    take_layers("self_attn.q_proj", D * D);
    take_layers("self_attn.k_proj", kv * D);
    take_layers("self_attn.v_proj", kv * D);
    take_layers("self_attn.o_proj", D * D);
    take_layers("post_attention_layernorm", D);
    take_layers("mlp.gate_proj", F * D);
    take_layers("mlp.down_proj", D * F);
    take_layers("mlp.up_proj", F * D);
    weights["model.norm.weight"] = take(D);
    for (auto& [name, weight] : weights) {
      if (name.find("q_proj") != std::string::npos || name.find("k_proj") != std::string::npos) reorder_pairs(weight);
    }
  }

  model::ModelConfig config;
  Weights weights;

 private:
  std::vector<float> take(std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    const std::size_t size = values.size() * sizeof(float);
    if (offset_ + size > bytes_.size()) throw std::runtime_error("llama2.c checkpoint is too short");
    std::memcpy(values.data(), bytes_.data() + offset_, size);
    offset_ += size;
    return values;
  }

  void take_layers(const std::string& module, std::int64_t count) {
    for (std::int64_t layer = 0; layer < config.layers; ++layer) {
      weights["model.layers." + std::to_string(layer) + "." + module + ".weight"] = take(count);
    }
  }

  /// llama2.c rotates neighbours (2i, 2i+1), Hugging Face (i, i + d/2): the rows of each head change places.
  void reorder_pairs(std::vector<float>& weight) const {
    const auto width = static_cast<std::size_t>(config.hidden_size), dim = static_cast<std::size_t>(config.head_dim);
    const std::vector<float> source = weight;
    for (std::size_t row = 0; row < weight.size() / width; ++row) {
      const std::size_t head = row / dim, within = row % dim;
      const std::size_t from = head * dim + (within < dim / 2 ? 2 * within : 2 * (within - dim / 2) + 1);
      std::copy_n(source.begin() + static_cast<std::ptrdiff_t>(from * width), width,
                  weight.begin() + static_cast<std::ptrdiff_t>(row * width));
    }
  }

  std::string bytes_;
  std::size_t offset_ = 0;
};

class Stories260K : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path checkpoint = data_folder() / "stories260K.bin";
    if (!std::filesystem::exists(checkpoint)) {
      GTEST_SKIP() << checkpoint << " is absent; set RETORT_SHARED to the folder that has data/stories260K";
    }
    golden_ = nlohmann::json::parse(host::read_file(data_folder() / "golden_greedy.json"));
    ids_ = golden_.at("ids").get<std::vector<TokenId>>();
    const Llama2Checkpoint source(checkpoint);
    testing::write_model(float_.path(), source.config, source.weights, Storage::f32);
    testing::write_model(int8_.path(), source.config, source.weights, Storage::int8);
  }

  /// Mean over positions of −log p(next id).
  double mean_nll(Decoder& decoder) const {
    const std::vector<float> logits = decoder.forward_all(std::span(ids_).first(ids_.size() - 1));
    const auto vocabulary = static_cast<std::size_t>(decoder.config().vocabulary_size);
    double sum = 0;
    for (std::size_t t = 0; t + 1 < ids_.size(); ++t) {
      const float* row = logits.data() + t * vocabulary;
      double total = 0;
      for (std::size_t v = 0; v < vocabulary; ++v) total += std::exp(double{row[v]});
      sum += std::log(total) - double{row[ids_[t + 1]]};
    }
    return sum / static_cast<double>(ids_.size() - 1);
  }

  testing::TemporaryFolder float_, int8_;
  nlohmann::json golden_;
  std::vector<TokenId> ids_;
};

TEST_F(Stories260K, GreedyTokensAreTheGoldenOnes) {
  const model::ModelFolder model(float_.path());
  Decoder decoder(model, {});
  const TokenId begin = ids_.front();
  const Generation generation =
      generate_greedy(decoder, {&begin, 1}, begin, static_cast<std::int64_t>(ids_.size()) - 1);
  EXPECT_EQ(generation.tokens, std::vector<TokenId>(ids_.begin() + 1, ids_.end()));
}

TEST_F(Stories260K, LogitsEqualTheGoldenOnes) {
  const model::ModelFolder model(float_.path());
  Decoder decoder(model, {});
  const std::vector<float> logits = decoder.forward_all(ids_);
  const auto& golden = golden_.at("logits_first_8_positions");
  for (std::size_t t = 0; t < golden.size(); ++t) {
    for (std::size_t v = 0; v < 512; ++v) {
      ASSERT_NEAR(logits[t * 512 + v], golden[t][v].get<float>(), 1e-4f) << "position " << t << ", token " << v;
    }
  }
  const auto& last = golden_.at("logits_last_position");
  const std::size_t position = ids_.size() - 1;
  for (std::size_t v = 0; v < 512; ++v) ASSERT_NEAR(logits[position * 512 + v], last[v].get<float>(), 1e-4f) << v;
}

/// Text that the model was not trained on, so that many of its choices are close; and its heads are 8 wide, which is
/// hard on the int8 cache: one scale for 8 numbers.
TEST_F(Stories260K, SmallerCachesMostlyChooseTheSameTokensOfWikitext) {
  const std::filesystem::path file = data_folder().parent_path() / "wikitext-2" / "test.txt";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
  constexpr std::size_t positions = 2000, window = 500;
  const text::Tokenizer tokenizer =
      text::Tokenizer::parse(text::tokenizer_json_from_llama2c(data_folder() / "tok512.bin", 512), "tok512.bin");
  const std::vector<TokenId> text = tokenizer.encode(host::read_file(file).substr(0, 4 * positions));
  ASSERT_GE(text.size(), positions);
  const model::ModelFolder model(float_.path());
  Decoder exact(model, {.kv_cache = KvType::f32});
  for (const auto& [type, share] : {std::pair(KvType::bf16, 0.98), std::pair(KvType::int8, 0.92)}) {
    Decoder smaller(model, {.kv_cache = type});
    std::size_t equal = 0;
    for (std::size_t first = 0; first < positions; first += window) {
      exact.reset();
      smaller.reset();
      const std::span<const TokenId> part = std::span(text).subspan(first, window);
      const std::vector<float> a = exact.forward_all(part), b = smaller.forward_all(part);
      for (std::size_t t = 0; t < window; ++t) equal += argmax(&a[t * 512], 512) == argmax(&b[t * 512], 512) ? 1 : 0;
    }
    RecordProperty(type == KvType::bf16 ? "bf16_equal" : "int8_equal", static_cast<int>(equal));
    EXPECT_GE(equal, static_cast<std::size_t>(share * positions)) << (type == KvType::bf16 ? "bf16" : "int8");
  }
}

TEST_F(Stories260K, SmallerCachesCostLittleOfItsOwnStories) {
  const model::ModelFolder model(float_.path());
  const double golden = golden_.at("mean_nll").get<double>();
  for (const auto& [type, most] : {std::pair(KvType::bf16, 0.003), std::pair(KvType::int8, 0.02)}) {
    Decoder decoder(model, {.kv_cache = type});
    EXPECT_NEAR(mean_nll(decoder), golden, most);
  }
}

TEST_F(Stories260K, MeanNllEqualsTheGoldenOneAndInt8CostsLittle) {
  const model::ModelFolder exact_model(float_.path()), int8_model(int8_.path());
  Decoder exact(exact_model, {}), int8(int8_model, {});
  const double golden = golden_.at("mean_nll").get<double>();
  EXPECT_NEAR(mean_nll(exact), golden, 1e-4);
  EXPECT_NEAR(mean_nll(int8), golden, 0.03);
}

}  // namespace
}  // namespace retort::runtime
