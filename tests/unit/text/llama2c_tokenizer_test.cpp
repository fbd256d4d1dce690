// tokenizer.bin of llama2.c: what run.c's own tokenizer made of a story, and broken files.
#include "text/llama2c_tokenizer.h"

#include <cstdio>
#include <cstring>

#include "fixtures.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "text/tokenizer.h"

namespace retort::text {
namespace {

using tests::contains;
using tests::error_of;
using Json = nlohmann::json;

void append(std::string& bytes, std::uint32_t value) {
  for (int i = 0; i < 4; ++i) bytes += static_cast<char>(value >> (8 * i));
}

void append_token(std::string& bytes, float score, const std::string& text) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &score, 4);
  append(bytes, bits);
  append(bytes, static_cast<std::uint32_t>(text.size()));
  bytes += text;
}

/// As tokenizer.py writes it: three special tokens, the bytes, then "▁", "a" and "▁a" with spaces for "▁".
std::string small_file() {
  std::string bytes;
  append(bytes, 27);
  for (const char* text : {"<unk>", "\n<s>\n", "\n</s>\n"}) append_token(bytes, 0, text);
  for (int byte = 0; byte < 256; ++byte) {
    char text[8];
    std::snprintf(text, sizeof text, "<0x%02X>", static_cast<unsigned>(byte));
    append_token(bytes, 0, text);
  }
  for (const char* text : {" ", "a", " a"}) append_token(bytes, -1, text);
  return bytes;
}

constexpr std::int64_t small_size = 262;

TEST(Llama2cTokenizer, ReadsTokensAndScores) {
  const tests::TemporaryFolder folder;
  host::write_file_atomically(folder / "tokenizer.bin", small_file());
  const Tokenizer tokenizer =
      Tokenizer::parse(tokenizer_json_from_llama2c(folder / "tokenizer.bin", small_size), "small");
  EXPECT_EQ(tokenizer.encode("a aé"), (std::vector<TokenId>{261, 261, 3 + 0xC3, 3 + 0xA9}));
  EXPECT_EQ(tokenizer.begin_token(), 1);
  EXPECT_EQ(tokenizer.token(1), "<s>");
  EXPECT_TRUE(tokenizer.is_special(2));
}

TEST(Llama2cTokenizer, Stories260K) {
  const auto folder = tests::shared_data("stories260K");
  RETORT_NEEDS(folder);
  const Tokenizer tokenizer = Tokenizer::parse(tokenizer_json_from_llama2c(folder / "tok512.bin", 512), "tok512");
  const Json golden = host::read_json(folder / "golden_greedy.json");
  auto ids = golden.at("ids").get<std::vector<TokenId>>();
  ASSERT_EQ(ids.front(), 1);
  ids.erase(ids.begin());
  const std::string text = tokenizer.decode(ids);
  EXPECT_TRUE(text.starts_with("Once upon a time, there was a little girl named Lily.")) << text;
  // The model wrote the tokens that the tokenizer would have chosen; their ids must come back.
  EXPECT_EQ(tokenizer.encode(text), ids);
}

TEST(Llama2cTokenizer, RefusesByToken) {
  const tests::TemporaryFolder folder;
  const auto file = folder / "tokenizer.bin";
  const auto refusal = [&](const std::string& bytes, std::int64_t size) {
    host::write_file_atomically(file, bytes);
    return error_of([&] { tokenizer_json_from_llama2c(file, size); });
  };
  const std::string whole = small_file();
  EXPECT_EQ(refusal(whole, small_size), "");
  EXPECT_TRUE(contains(refusal("", small_size), "header: expected 4 bytes more"));
  EXPECT_TRUE(contains(refusal(whole, small_size + 1), "token 262 of 263: expected 4 bytes more, found the end"));
  EXPECT_TRUE(contains(refusal(whole, small_size - 1), "token 260 of 261: expected the end of the file"));
  EXPECT_TRUE(contains(refusal(whole.substr(0, whole.size() - 1), small_size), "token 261 of 262: "));
  std::string negative = whole;
  negative.replace(8, 4, "\xFF\xFF\xFF\xFF");
  EXPECT_TRUE(contains(refusal(negative, small_size), "token 0 of 262: expected a length of at least 0, found -1"));
  std::string infinite = whole;
  infinite.replace(4, 4, std::string("\0\0\x80\x7F", 4));
  EXPECT_TRUE(contains(refusal(infinite, small_size), "token 0 of 262: expected a finite score"));
  std::string twice = whole;
  append_token(twice, -2, "a");
  EXPECT_TRUE(contains(refusal(twice, small_size + 1), "token 262: expected each token once, found \"a\""));
  EXPECT_TRUE(contains(refusal(whole, 0), "expected a vocabulary of 1 to"));
  EXPECT_TRUE(contains(error_of([&] { tokenizer_json_from_llama2c(folder / "none.bin", 1); }), "none.bin"));
  for (std::size_t cut = 0; cut < whole.size(); cut += 101)  // no prefix of the file is taken for the whole
    EXPECT_NE(refusal(whole.substr(0, cut), small_size), "") << cut;
}

}  // namespace
}  // namespace retort::text
