// A GGUF file that neither Retort nor llama.cpp's authors made for us (gguf-cases: F16, one layer, random weights): its
// greedy tokens are those that llama.cpp gives.
#include <gtest/gtest.h>

#include "exchange/model_exchange.h"
#include "fixtures.h"
#include "host/base/json.h"
#include "runtime/generate/generation.h"
#include "runtime/generate/text_model.h"

namespace retort::interop {
namespace {

using runtime::TokenId;

TEST(LlamaCppGguf, GreedyTokensOfAThirdPartysFile) {
  const auto data = tests::shared_data("gguf-cases");
  RETORT_NEEDS(data);
  const nlohmann::json golden = host::read_json(data / "golden_greedy_llamacpp.json");
  const auto prompt = golden.at("prompt_ids").get<std::vector<TokenId>>();
  const auto expected = golden.at("greedy").get<std::vector<TokenId>>();
  const tests::TemporaryFolder folder;
  const exchange::ExchangeResult result = exchange::import_model(data / "llama-2-tiny-random.gguf", folder / "m", {});
  EXPECT_EQ(result.config.vocabulary_size, 32000);
  EXPECT_EQ(model::ModelFolder(folder / "m").tensor("model.layers.0.self_attn.q_proj.weight").type,
            model::DataType::f16)
      << "as the file has it";
  // And once more after it was exported: F16 matrices are kept.
  exchange::export_to_gguf(folder / "m", folder / "again.gguf", {});
  exchange::import_model(folder / "again.gguf", folder / "again", {});
  for (const char* name : {"m", "again"}) {
    const model::ModelFolder model(folder / name);
    runtime::Decoder decoder(model, {});
    EXPECT_EQ(runtime::generate_greedy(decoder, prompt, -1, static_cast<std::int64_t>(expected.size())).tokens,
              expected)
        << name;
  }
}

TEST(LlamaCppGguf, TheTokenizerOfAThirdPartysFile) {
  const auto data = tests::shared_data("gguf-cases");
  RETORT_NEEDS(data);
  const tests::TemporaryFolder folder;
  exchange::import_model(data / "llama-2-tiny-random.gguf", folder / "m", {});
  const text::Tokenizer tokenizer = text::Tokenizer::load(folder / "m");
  EXPECT_EQ(tokenizer.vocabulary_size(), 32000);
  EXPECT_EQ(tokenizer.encode("Once upon a time"), (std::vector<TokenId>{9038, 2501, 263, 931}));
}

}  // namespace
}  // namespace retort::interop
