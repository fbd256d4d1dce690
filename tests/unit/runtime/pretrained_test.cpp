// Caches of smaller types on a pretrained model: SmolLM2-135M-Instruct, imported as configs/smollm2.json says, in the
// folder that RETORT_SMOLLM2 names; skipped without it. The text is wikitext-2's.
#include <gtest/gtest.h>

#include <cstdlib>

#include "host/files.h"
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

TEST(SmolLM2, SmallerCachesChooseTheSameTokens) {
  const char* folder = std::getenv("RETORT_SMOLLM2");
  const char* shared = std::getenv("RETORT_SHARED");
  const std::filesystem::path file =
      std::filesystem::path(shared != nullptr ? shared : RETORT_SHARED_DEFAULT) / "data" / "wikitext-2" / "test.txt";
  if (folder == nullptr || !std::filesystem::exists(file))
    GTEST_SKIP() << "set RETORT_SMOLLM2 to a folder with SmolLM2-135M (see configs/smollm2.json); text: " << file;
  const model::ModelFolder model(folder);
  const std::vector<TokenId> text = text::Tokenizer::load(folder).encode(host::read_file(file).substr(0, 12000));
  ASSERT_GE(text.size(), static_cast<std::size_t>(kPositions));
  const std::vector<std::int64_t> exact = choices(model, text, KvType::f32);
  for (const auto& [type, share] : {std::pair(KvType::bf16, 0.99), std::pair(KvType::int8, 0.98)}) {
    const std::vector<std::int64_t> found = choices(model, text, type);
    int equal = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) equal += exact[i] == found[i] ? 1 : 0;
    EXPECT_GE(equal, share * kPositions) << (type == KvType::bf16 ? "bf16" : "int8");
    RecordProperty(type == KvType::bf16 ? "bf16_equal" : "int8_equal", equal);
  }
}

}  // namespace
}  // namespace retort::runtime
