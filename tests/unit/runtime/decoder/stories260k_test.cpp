// stories260K (karpathy/tinyllamas) against golden tokens and logits made with llama2.c's run.c: an independent
// implementation of the same maths. The model comes from llama2.c's checkpoint, from a GGUF file, and from the first
// after an export to GGUF and an import of that.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>

#include "exchange/model_exchange.h"
#include "host/base/files.h"
#include "random_model.h"
#include "runtime/generate/generation.h"
#include "runtime/generate/text_model.h"
#include "runtime/kernels/vector_kernels.h"
#include "text/tokenizer.h"

namespace retort::runtime {
namespace {

using testing::Storage;
using testing::Weights;

std::filesystem::path data_folder() {
  const char* shared = std::getenv("RETORT_SHARED");
  return std::filesystem::path(shared != nullptr ? shared : RETORT_SHARED_DEFAULT) / "data" / "stories260K";
}

/// The ways in which the model can come here; all must give the same numbers.
enum class Way { checkpoint, gguf, there_and_back };

class Stories260K : public ::testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    const std::filesystem::path checkpoint = data_folder() / "stories260K.bin";
    if (!std::filesystem::exists(checkpoint)) {
      GTEST_SKIP() << checkpoint << " is absent; set RETORT_SHARED to the folder that has data/stories260K";
    }
    golden_ = nlohmann::json::parse(host::read_file(data_folder() / "golden_greedy.json"));
    ids_ = golden_.at("ids").get<std::vector<TokenId>>();
    exchange::ImportOptions options;
    options.tokenizer_file = data_folder() / "tok512.bin";
    exchange::import_model(checkpoint, float_path(), options);
    if (GetParam() == Way::gguf) {
      std::filesystem::remove_all(float_path());
      exchange::import_model(data_folder() / "stories260K-f32.gguf", float_path(), {});
    } else if (GetParam() == Way::there_and_back) {
      exchange::export_to_gguf(float_path(), folder_.path() / "m.gguf", {});
      std::filesystem::remove_all(float_path());
      exchange::import_model(folder_.path() / "m.gguf", float_path(), {});
    }
  }

  std::filesystem::path float_path() const { return folder_.path() / "model"; }

  /// The same weights as codes.
  void write_codes(const std::filesystem::path& folder, Storage storage) const {
    const model::ModelFolder source(float_path());
    Weights weights;
    for (const auto& [name, shape] : model::tensor_shapes(source.config()))
      weights[name] = model::to_f32(source.tensor(name));
    testing::write_model(folder, source.config(), weights, storage);
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

  testing::TemporaryFolder folder_;
  nlohmann::json golden_;
  std::vector<TokenId> ids_;
};

TEST_P(Stories260K, GreedyTokensAreTheGoldenOnes) {
  const model::ModelFolder model(float_path());
  Decoder decoder(model, {});
  const TokenId begin = ids_.front();
  const Generation generation =
      generate_greedy(decoder, {&begin, 1}, begin, static_cast<std::int64_t>(ids_.size()) - 1);
  EXPECT_EQ(generation.tokens, std::vector<TokenId>(ids_.begin() + 1, ids_.end()));
}

TEST_P(Stories260K, LogitsEqualTheGoldenOnes) {
  const model::ModelFolder model(float_path());
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
TEST_P(Stories260K, SmallerCachesMostlyChooseTheSameTokensOfWikitext) {
  const std::filesystem::path file = data_folder().parent_path() / "wikitext-2" / "test.txt";
  if (!std::filesystem::exists(file)) GTEST_SKIP() << file << " is absent";
  constexpr std::size_t positions = 2000, window = 500;
  const text::Tokenizer tokenizer = text::Tokenizer::load(float_path());
  const std::vector<TokenId> text = tokenizer.encode(host::read_file(file).substr(0, 4 * positions));
  ASSERT_GE(text.size(), positions);
  const model::ModelFolder model(float_path());
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

TEST_P(Stories260K, SmallerCachesCostLittleOfItsOwnStories) {
  const model::ModelFolder model(float_path());
  const double golden = golden_.at("mean_nll").get<double>();
  for (const auto& [type, most] : {std::pair(KvType::bf16, 0.003), std::pair(KvType::int8, 0.02)}) {
    Decoder decoder(model, {.kv_cache = type});
    EXPECT_NEAR(mean_nll(decoder), golden, most);
  }
}

TEST_P(Stories260K, MeanNllEqualsTheGoldenOneAndInt8CostsLittle) {
  write_codes(folder_.path() / "int8", Storage::int8);
  const model::ModelFolder exact_model(float_path()), int8_model(folder_.path() / "int8");
  Decoder exact(exact_model, {}), int8(int8_model, {});
  const double golden = golden_.at("mean_nll").get<double>();
  EXPECT_NEAR(mean_nll(exact), golden, 1e-4);
  EXPECT_NEAR(mean_nll(int8), golden, 0.03);
}

TEST_P(Stories260K, CodesTimesFloatActivationsAreWhatTheyStandFor) {
  for (const Storage storage : {Storage::w8a16, Storage::int4}) {
    const std::filesystem::path codes = folder_.path() / "codes", restored = folder_.path() / "restored";
    write_codes(codes, storage);
    exchange::export_to_folder(codes, restored, {.type = model::GgmlType::f32});
    const model::ModelFolder code_model(codes), restored_model(restored);
    Decoder code_decoder(code_model, {}), restored_decoder(restored_model, {});
    EXPECT_NEAR(std::exp(mean_nll(code_decoder) - mean_nll(restored_decoder)), 1, 1e-4);
    std::filesystem::remove_all(codes);
    std::filesystem::remove_all(restored);
  }
}

TEST_P(Stories260K, TheTokenizerComesAlong) {
  TextModel model(float_path(), {});
  GenerationOptions options;
  options.max_new_tokens = 255;
  options.ends = {-1, -2};  // no token: the golden text goes on behind begin tokens
  const Continuation result = model.continue_text("", options);
  EXPECT_EQ(result.prompt, std::vector<TokenId>{ids_.front()}) << "the begin token alone";
  EXPECT_EQ(result.generation.tokens, std::vector<TokenId>(ids_.begin() + 1, ids_.end()));
  EXPECT_EQ(result.text.substr(0, 50), golden_.at("text").get<std::string>().substr(0, 50));
}

INSTANTIATE_TEST_SUITE_P(EveryWay, Stories260K, ::testing::Values(Way::checkpoint, Way::gguf, Way::there_and_back),
                         [](const auto& way) {
                           return std::string(way.param == Way::checkpoint ? "Checkpoint"
                                              : way.param == Way::gguf     ? "Gguf"
                                                                           : "ThereAndBack");
                         });

}  // namespace
}  // namespace retort::runtime
