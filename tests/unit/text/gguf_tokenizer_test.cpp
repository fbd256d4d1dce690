// Tokenizers from GGUF metadata, made by hand and from real vocabularies, and refusals by key.
#include "text/gguf_tokenizer.h"

#include <random>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/gguf_pre_tokenizer.h"
#include "text/llama2c_tokenizer.h"
#include "text/pre_tokenizer.h"
#include "text/token_decoder.h"

namespace retort::text {
namespace {

using model::GgufMetadata;
using tests::contains;
using tests::error_of;
using Ids = std::vector<TokenId>;
using Json = nlohmann::json;
using Strings = std::vector<std::string>;
using Types = std::vector<std::int32_t>;
using Scores = std::vector<float>;

Tokenizer tokenizer_of(const GgufMetadata& metadata) {
  return Tokenizer::parse(tokenizer_json_from_gguf(metadata, "m.gguf"), "m.gguf");
}

/// Bytes (id = byte), "ab", "abc", <|end|> (control), <call> (user-defined), padding.
GgufMetadata byte_level(const std::string& pre) {
  Strings tokens;
  Types types(256, 1);
  for (int byte = 0; byte < 256; ++byte) tokens.push_back(alphabet_character(static_cast<unsigned char>(byte)));
  for (const auto& [text, type] : std::vector<std::pair<std::string, std::int32_t>>{
           {"ab", 1}, {"abc", 1}, {"<|end|>", 3}, {"<call>", 4}, {"[PAD260]", 5}}) {
    tokens.push_back(text);
    types.push_back(type);
  }
  return {{"tokenizer.ggml.model", std::string("gpt2")},
          {"tokenizer.ggml.pre", pre},
          {"tokenizer.ggml.tokens", tokens},
          {"tokenizer.ggml.token_type", types},
          {"tokenizer.ggml.merges", Strings{"a b", "ab c"}},
          {"tokenizer.ggml.bos_token_id", std::uint32_t{258}}};
}

/// <unk>, <s>, </s>, bytes, "▁", "a", "b", "▁a", "ab".
GgufMetadata sentencepiece() {
  Strings tokens = {"<unk>", "<s>", "</s>"};
  Types types = {2, 3, 3};
  Scores scores = {0, 0, 0};
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(byte_token(static_cast<unsigned char>(byte)));
    types.push_back(6);
    scores.push_back(0);
  }
  for (const char* text : {"▁", "a", "b", "▁a", "ab"}) {
    tokens.emplace_back(text);
    types.push_back(1);
    scores.push_back(-static_cast<float>(tokens.size()));
  }
  return {{"tokenizer.ggml.model", std::string("llama")},
          {"tokenizer.ggml.tokens", tokens},
          {"tokenizer.ggml.token_type", types},
          {"tokenizer.ggml.scores", scores},
          {"tokenizer.ggml.bos_token_id", std::uint32_t{1}}};
}

TEST(GgufTokenizer, ByteLevel) {
  const Tokenizer tokenizer = tokenizer_of(byte_level("gpt-2"));
  EXPECT_EQ(tokenizer.encode("abcab"), (Ids{257, 256}));
  EXPECT_EQ(tokenizer.encode("a<|end|><call>", Tokenizer::Special::parse), (Ids{'a', 258, 259}));
  EXPECT_TRUE(tokenizer.is_special(258));
  EXPECT_FALSE(tokenizer.is_special(259));
  EXPECT_EQ(tokenizer.vocabulary_size(), 260);  // the padding row stays free
  EXPECT_EQ(tokenizer.begin_token(), std::nullopt);
}

TEST(GgufTokenizer, ControlTokensBeforeOthersStandInTheVocabularyToo) {
  // Hugging Face tokenizers gives an added token that the vocabulary lacks an id behind it, whatever the file says.
  GgufMetadata metadata = byte_level("smollm");
  std::get<Types>(metadata["tokenizer.ggml.token_type"])[1] = 3;
  const Json json = Json::parse(tokenizer_json_from_gguf(metadata, "m.gguf"));
  EXPECT_EQ(json["model"]["vocab"].at(alphabet_character(1)), 1);
  EXPECT_FALSE(json["model"]["vocab"].contains("<|end|>"));
  EXPECT_TRUE(tokenizer_of(metadata).is_special(1));
}

TEST(GgufTokenizer, PreTokenizersByName) {
  const auto pieces = [](const char* name, const std::string& text) {
    const Json& json = find_gguf_pre_tokenizer(name)->pre_tokenizer;
    Strings result;
    PreTokenizer::from_json(host::JsonCursor(json, name)).split(text, [&](std::string_view piece) {
      result.emplace_back(piece);
    });
    return result;
  };
  const std::string text = "Don't pay 1234$!\n x";
  EXPECT_EQ(pieces("gpt-2", text), (Strings{"Don", "'t", " pay", " 1234", "$!", "\n", " x"}));
  EXPECT_EQ(pieces("qwen2", text), (Strings{"Don", "'t", " pay", " ", "1", "2", "3", "4", "$!\n", " x"}));
  EXPECT_EQ(pieces("llama-bpe", text), (Strings{"Don", "'t", " pay", " ", "123", "4", "$!\n", " x"}));
  EXPECT_EQ(pieces("smollm", text), (Strings{"Don", "'t", " pay", " ", "1", "2", "3", "4", "$!", "\n", " x"}));
  EXPECT_EQ(pieces("default", text), (Strings{"Don", "'", "t", " pay", " ", "123", "4", "$!", "\n", " x"}));
  EXPECT_EQ(find_gguf_pre_tokenizer("tekken"), nullptr);
}

TEST(GgufTokenizer, BeginTokenWhereItIsAskedFor) {
  GgufMetadata metadata = byte_level("llama-bpe");
  EXPECT_EQ(tokenizer_of(metadata).begin_token(), 258);
  metadata["tokenizer.ggml.add_bos_token"] = false;
  EXPECT_EQ(tokenizer_of(metadata).begin_token(), std::nullopt);
  metadata = byte_level("smollm");
  EXPECT_EQ(tokenizer_of(metadata).begin_token(), std::nullopt);
  metadata["tokenizer.ggml.add_bos_token"] = true;
  EXPECT_EQ(tokenizer_of(metadata).begin_token(), 258);
  metadata = sentencepiece();
  EXPECT_EQ(tokenizer_of(metadata).begin_token(), 1);
  metadata["tokenizer.ggml.add_bos_token"] = false;
  EXPECT_EQ(tokenizer_of(metadata).begin_token(), std::nullopt);
}

TEST(GgufTokenizer, SentencePiece) {
  GgufMetadata metadata = sentencepiece();
  EXPECT_EQ(tokenizer_of(metadata).encode("ab ab"), (Ids{262, 261, 262, 261}));  // ▁a is better than ab
  EXPECT_EQ(tokenizer_of(metadata).encode("bé"), (Ids{259, 261, 3 + 0xC3, 3 + 0xA9}));
  metadata["tokenizer.ggml.add_space_prefix"] = false;
  EXPECT_EQ(tokenizer_of(metadata).encode("ab ab"), (Ids{263, 262, 261}));
}

TEST(GgufTokenizer, RefusesByKey) {
  struct Case {
    const char* key;
    model::GgufValue value;
    const char* named;
  };
  Strings doubled = std::get<Strings>(byte_level("gpt-2")["tokenizer.ggml.tokens"]);
  doubled[257] = "ab";
  Strings invalid = doubled;
  invalid[257] = "\xFF";
  Types odd(261, 1);
  odd[7] = 9;
  const Case cases[] = {
      {"model", std::string("bert"), "expected \"gpt2\" or \"llama\" (others are not implemented), found \"bert\""},
      {"model", std::uint32_t{1}, "expected a string"},
      {"pre", std::string("tekken"), "(gpt-2, qwen2, llama-bpe, llama3, llama-v3, smollm, default), found \"tekken\""},
      {"tokens", Types{1}, "expected an array of strings, found an array of 1 i32"},
      {"tokens", Strings{}, "expected at least one token, found an array of 0 string"},
      {"tokens", doubled, "expected each token once, found \"ab\" as token 256 and as token 257"},
      {"tokens", invalid, "expected UTF-8"},
      {"token_type", Types{1}, "expected an array of 261, as many as tokens, found an array of 1 i32"},
      {"token_type", odd, "expected types from 1 to 6, found 9 for token 7"},
      {"scores", Scores{1}, "expected an array of 261, as many as tokens, found an array of 1 f32"},
      {"merges", Strings{"a b", "abc"}, "found \"abc\", merge 1"},
      {"merges", Strings{"a b", "b a"}, "found \"b a\", merge 1: \"ba\" is none"},
      {"bos_token_id", std::uint32_t{261}, "expected a whole number from 0 to 260, found 261"},
      {"bos_token_id", std::int32_t{-1}, "expected a whole number from 0 to 260, found -1"},
      {"add_bos_token", std::uint8_t{1}, "expected true or false"}};
  for (const auto& [key, value, named] : cases) {
    GgufMetadata metadata = byte_level("gpt-2");
    metadata["tokenizer.ggml." + std::string(key)] = value;
    const std::string error = error_of([&] { tokenizer_json_from_gguf(metadata, "m.gguf"); });
    EXPECT_TRUE(contains(error, "m.gguf: key 'tokenizer.ggml." + std::string(key) + "': ")) << key << ": " << error;
    EXPECT_TRUE(contains(error, named)) << key << ": " << error;
  }
  for (const char* key : {"model", "tokens", "merges"}) {
    GgufMetadata metadata = byte_level("gpt-2");
    metadata.erase("tokenizer.ggml." + std::string(key));
    EXPECT_TRUE(contains(error_of([&] { tokenizer_json_from_gguf(metadata, "m.gguf"); }), "found none")) << key;
  }
  for (const char* key : {"scores", "token_type"}) {
    GgufMetadata metadata = sentencepiece();
    metadata.erase("tokenizer.ggml." + std::string(key));
    EXPECT_TRUE(contains(error_of([&] { tokenizer_json_from_gguf(metadata, "m.gguf"); }), "found none")) << key;
  }
}

/// What the converter of a published model would write: the vocabulary's tokens, control tokens, merges.
GgufMetadata metadata_of(const Json& tokenizer, const std::string& pre) {
  const Json& vocabulary = tokenizer["model"]["vocab"];
  const Json& added = tokenizer["added_tokens"];
  Strings tokens(vocabulary.size() + added.size());
  Types types(tokens.size(), 1);
  for (const auto& [text, id] : vocabulary.items()) tokens[id.get<std::size_t>()] = text;
  for (const Json& token : added) {
    tokens[token["id"].get<std::size_t>()] = token["content"];
    types[token["id"].get<std::size_t>()] = token["special"] ? 3 : 4;
  }
  Strings merges;
  for (const Json& merge : tokenizer["model"]["merges"])
    merges.push_back(merge.is_string() ? merge.get<std::string>()
                                       : merge[0].get<std::string>() + " " + merge[1].get<std::string>());
  return {{"tokenizer.ggml.model", std::string("gpt2")},
          {"tokenizer.ggml.pre", pre},
          {"tokenizer.ggml.tokens", tokens},
          {"tokenizer.ggml.token_type", types},
          {"tokenizer.ggml.merges", merges}};
}

TEST(GgufTokenizerVectors, QwenVocabulary) {
  const auto vectors = tests::shared_data("tokenizer-vectors");
  const auto folder = tests::shared_data("tokenizer-qwen3");
  RETORT_NEEDS(folder);
  RETORT_NEEDS(vectors);
  const Tokenizer tokenizer = tokenizer_of(metadata_of(host::read_json(folder / "tokenizer.json"), "qwen2"));
  const Json cases = host::read_json(vectors / "tokenization.json")["qwen2"]["models"]["Xenova/Qwen1.5-0.5B-Chat"];
  EXPECT_GE(cases.size(), 20U);
  for (const auto& [name, item] : cases.items())
    EXPECT_EQ(tokenizer.encode(item["text"].get<std::string>(), Tokenizer::Special::parse), item["ids"].get<Ids>())
        << name;
  for (const Json& item : host::read_json(vectors / "vocab_cases.json"))
    EXPECT_EQ(tokenizer.encode(item["text"].get<std::string>()), item["qwen2"].get<Ids>()) << item["text"];
  EXPECT_EQ(tokenizer.encode("<|im_start|><tool_call>", Tokenizer::Special::parse), (Ids{151644, 151657}));
}

/// Random text of pieces of the vocabulary and of bytes.
std::string random_text(const Tokenizer& tokenizer, std::mt19937& random) {
  std::string text;
  for (int i = 0; i < 10; ++i)
    text += random() % 3 == 0 ? std::string(1, static_cast<char>(random() % 128))
                              : tokenizer.token_bytes(static_cast<TokenId>(
                                    random() % static_cast<unsigned>(tokenizer.vocabulary_size())));
  return host::replace_invalid_utf8(text);
}

/// Through GGUF and back: the same ids for any text.
void check_round_trip(const Tokenizer& tokenizer, const GgufTokenizerOptions& options, int rounds) {
  const GgufMetadata metadata = gguf_tokenizer(tokenizer, options);
  const Tokenizer back = tokenizer_of(metadata);
  EXPECT_EQ(back.vocabulary_size(), tokenizer.vocabulary_size());
  EXPECT_EQ(back.begin_token(), tokenizer.begin_token());
  std::mt19937 random(3);
  for (int round = 0; round < rounds; ++round) {
    const std::string text = random_text(tokenizer, random);
    const auto special = round % 2 == 0 ? Tokenizer::Special::parse : Tokenizer::Special::as_text;
    const Ids ids = tokenizer.encode(text, special);
    EXPECT_EQ(back.encode(text, special), ids) << text;
    EXPECT_EQ(back.decode(ids, true), tokenizer.decode(ids, true)) << text;
  }
  const GgufMetadata again = gguf_tokenizer(back, options);
  for (const auto& [key, value] : metadata) EXPECT_TRUE(again.at(key) == value) << key;
}

TEST(GgufTokenizerExport, RoundTripsByteLevel) {
  for (const char* pre : {"gpt-2", "qwen2", "llama-bpe", "smollm", "default"}) {
    SCOPED_TRACE(pre);
    GgufMetadata metadata = byte_level(pre);
    check_round_trip(tokenizer_of(metadata), {.vocabulary_size = 300}, 50);
    EXPECT_EQ(std::get<std::string>(gguf_tokenizer(tokenizer_of(metadata), {})["tokenizer.ggml.pre"]), pre);
  }
}

TEST(GgufTokenizerExport, FillsTheEmbeddingWithPadding) {
  const GgufMetadata metadata =
      gguf_tokenizer(tokenizer_of(byte_level("gpt-2")), {.vocabulary_size = 262, .end = 258, .padding = 258});
  const auto& tokens = std::get<Strings>(metadata.at("tokenizer.ggml.tokens"));
  const auto& types = std::get<Types>(metadata.at("tokenizer.ggml.token_type"));
  ASSERT_EQ(tokens.size(), 262U);
  EXPECT_EQ(tokens[261], "[PAD261]");
  EXPECT_EQ((Types{types.begin() + 257, types.end()}), (Types{1, 3, 4, 5, 5}));
  EXPECT_EQ(std::get<std::uint32_t>(metadata.at("tokenizer.ggml.eos_token_id")), 258U);
  EXPECT_EQ(std::get<std::uint32_t>(metadata.at("tokenizer.ggml.padding_token_id")), 258U);
  EXPECT_FALSE(metadata.contains("tokenizer.ggml.bos_token_id"));
  EXPECT_FALSE(std::get<bool>(metadata.at("tokenizer.ggml.add_bos_token")));
}

TEST(GgufTokenizerExport, RoundTripsSentencePiece) {
  check_round_trip(tokenizer_of(sentencepiece()), {.vocabulary_size = 280}, 100);
  const GgufMetadata metadata = gguf_tokenizer(tokenizer_of(sentencepiece()), {});
  EXPECT_EQ(std::get<Types>(metadata.at("tokenizer.ggml.token_type")),
            std::get<Types>(sentencepiece().at("tokenizer.ggml.token_type")));
  EXPECT_TRUE(std::get<bool>(metadata.at("tokenizer.ggml.add_space_prefix")));
  const auto& scores = std::get<Scores>(metadata.at("tokenizer.ggml.scores"));
  EXPECT_GT(scores[262], scores[263]);  // ▁a is merged before ab, and both before anything is merged into letters
  EXPECT_GT(scores[263], scores[259]);
}

/// Gemma's tokenizer.json cuts at spaces, which its normaliser has replaced: GGUF's keys say all of it.
TEST(GgufTokenizerExport, RoundTripsGemmasForm) {
  GgufMetadata metadata = sentencepiece();
  metadata["tokenizer.ggml.add_space_prefix"] = false;
  const Tokenizer plain = tokenizer_of(metadata);
  Json json = Json::parse(tokenizer_json_from_gguf(metadata, "m.gguf"));
  json["normalizer"] = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", "▁"}};
  json["pre_tokenizer"] = {
      {"type", "Split"}, {"pattern", {{"String", " "}}}, {"behavior", "MergedWithPrevious"}, {"invert", false}};
  const Tokenizer gemma = Tokenizer::parse(json.dump(), "gemma");
  EXPECT_EQ(lost_in_gguf(gemma), Strings{});
  for (const char* text : {"a b", "ab  a", " ", "a ab b a"}) EXPECT_EQ(gemma.encode(text), plain.encode(text)) << text;
  check_round_trip(gemma, {.vocabulary_size = 280}, 100);
}

TEST(GgufTokenizerExport, RefusesWhatGgufCannotSay) {
  const auto refusal = [](const GgufMetadata& metadata, const char* pointer, const Json& value,
                          const GgufTokenizerOptions& options = {}) {
    Json json = Json::parse(tokenizer_json_from_gguf(metadata, "m.gguf"));
    json[Json::json_pointer(pointer)] = value;
    const Tokenizer tokenizer = Tokenizer::parse(json.dump(), "changed");
    return error_of([&] { gguf_tokenizer(tokenizer, options); });
  };
  const Json digits = {{"type", "Digits"}, {"individual_digits", false}};
  const Json prefixed = {{"type", "ByteLevel"}, {"add_prefix_space", true}};
  EXPECT_TRUE(contains(refusal(byte_level("gpt-2"), "/pre_tokenizer", prefixed), "/pre_tokenizer: expected one that"));
  EXPECT_TRUE(contains(refusal(byte_level("smollm"), "/pre_tokenizer/pretokenizers/0", digits), "/pre_tokenizer: "));
  EXPECT_TRUE(contains(refusal(byte_level("gpt-2"), "/model/ignore_merges", true), "expected false with gpt-2"));
  EXPECT_TRUE(contains(refusal(sentencepiece(), "/model/byte_fallback", false), "/model/byte_fallback: expected true"));
  EXPECT_TRUE(contains(refusal(sentencepiece(), "/model/merges", Json::array({"▁ a"})), "no \"a\" + \"b\""));
  EXPECT_TRUE(contains(refusal(sentencepiece(), "/normalizer", {{"type", "NFC"}}), "/normalizer: expected spaces"));
  EXPECT_TRUE(
      contains(refusal(sentencepiece(), "/version", "1.0", {.vocabulary_size = 8}), "at least the tokenizer's"));
  EXPECT_TRUE(
      contains(refusal(sentencepiece(), "/version", "1.0", {.end = 264}), "eos_token_id: expected an id below"));
}

TEST(GgufTokenizerExport, WhatTheKeysCannotSayIsKeptAsAWhole) {
  const auto changed = [](const GgufMetadata& metadata, const char* pointer, const Json& value) {
    Json json = Json::parse(tokenizer_json_from_gguf(metadata, "m.gguf"));
    json[Json::json_pointer(pointer)] = value;
    return Tokenizer::parse(json.dump(), "changed");
  };
  struct Case {
    Tokenizer tokenizer;
    const char* lost;
    const char* text;
  };
  const Json nfc = {{"type", "NFC"}};
  Case cases[] = {
      {changed(byte_level("gpt-2"), "/added_tokens/0/rstrip", true), "added token \"<|end|>\": rstrip", "a<|end|> b"},
      {changed(byte_level("gpt-2"), "/added_tokens/1/single_word", true), "\"<call>\": single_word", "a<call>b"},
      {changed(byte_level("gpt-2"), "/normalizer", nfc), "normalizer: NFC", "e\u0301"},
      {changed(byte_level("qwen2"), "/normalizer", nullptr), "no normalizer (qwen2 has NFC)", "e\u0301"},
      {changed(sentencepiece(), "/added_tokens/1/lstrip", true), "\"<s>\": lstrip", "a <s>b"}};
  for (const Case& one : cases) {
    SCOPED_TRACE(one.lost);
    const std::vector<std::string> lost = lost_in_gguf(one.tokenizer);
    ASSERT_EQ(lost.size(), 1U);
    EXPECT_TRUE(contains(lost[0], one.lost)) << lost[0];
    GgufMetadata metadata = gguf_tokenizer(one.tokenizer, {});
    const auto parse = Tokenizer::Special::parse;
    const Ids ids = one.tokenizer.encode(one.text, parse);
    EXPECT_EQ(tokenizer_of(metadata).encode(one.text, parse), ids);
    std::get<Strings>(metadata["tokenizer.ggml.tokens"])[60] = "other";
    EXPECT_TRUE(
        contains(error_of([&] { tokenizer_of(metadata); }), "key 'tokenizer.huggingface.json': expected the tokens"));
    std::get<Strings>(metadata["tokenizer.ggml.tokens"])[60] = one.tokenizer.token(60);
    metadata.erase("tokenizer.huggingface.json");
    EXPECT_NE(tokenizer_of(metadata).encode(one.text, parse), ids) << "it was needed";
  }
  for (const char* pre : {"gpt-2", "qwen2", "llama-bpe", "smollm", "default"}) {
    EXPECT_EQ(lost_in_gguf(tokenizer_of(byte_level(pre))), Strings{}) << pre;
    EXPECT_FALSE(gguf_tokenizer(tokenizer_of(byte_level(pre)), {}).contains("tokenizer.huggingface.json")) << pre;
  }
  EXPECT_EQ(lost_in_gguf(tokenizer_of(sentencepiece())), Strings{});
}

TEST(GgufTokenizerExport, RoundTripsRealVocabularies) {
  const auto qwen = tests::shared_data("tokenizer-qwen3");
  const auto llama = tests::shared_data("llama2-tokenizer");
  const auto stories = tests::shared_data("stories260K");
  RETORT_NEEDS(qwen);
  RETORT_NEEDS(llama);
  RETORT_NEEDS(stories);
  check_round_trip(Tokenizer::load(qwen), {.vocabulary_size = 151936}, 200);
  check_round_trip(Tokenizer::parse(tokenizer_json_from_llama2c(llama / "tokenizer.bin", 32000), "llama2"), {}, 200);
  check_round_trip(Tokenizer::parse(tokenizer_json_from_llama2c(stories / "tok512.bin", 512), "tok512"), {}, 200);
}

}  // namespace
}  // namespace retort::text
