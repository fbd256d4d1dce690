// Pieces of the supported pre-tokenizers, and refusals by name.
#include "text/pre_tokenizer.h"

#include "fixtures.h"

namespace retort::text {
namespace {

using tests::contains;
using tests::error_of;
using Pieces = std::vector<std::string>;

using Place = PreTokenizer::Place;

Pieces pieces_of(const PreTokenizer& pre_tokenizer, const std::string& text, Place place = Place::first) {
  Pieces pieces;
  pre_tokenizer.split(text, [&](std::string_view piece) { pieces.emplace_back(piece); }, place);
  return pieces;
}

PreTokenizer pre_tokenizer_from(const std::string& json) {
  const auto document = nlohmann::json::parse(json);
  return PreTokenizer::from_json(host::JsonCursor(document, "t.json"));
}

TEST(PreTokenizer, Gpt2) {
  EXPECT_EQ(pieces_of(PreTokenizer::gpt2(), "I'll pay 42€  now\n\n x"),
            (Pieces{"I", "'ll", " pay", " 42", "€", " ", " now", "\n\n", " x"}));
  EXPECT_EQ(pieces_of(PreTokenizer::gpt2(), ""), Pieces{});
}

TEST(PreTokenizer, WhiteSpaceIsUnicodes) {
  // U+0085 and U+3000 are white space; U+180E has not been since Unicode 6.3.
  EXPECT_EQ(pieces_of(PreTokenizer::gpt2(), "a\u0085\u3000"), (Pieces{"a", "\u0085\u3000"}));
  EXPECT_EQ(pieces_of(PreTokenizer::gpt2(), "a\u180E!"), (Pieces{"a", "\u180E!"}));
}

TEST(PreTokenizer, PrefixSpaceAndNoPattern) {
  const auto plain = pre_tokenizer_from(R"({"type":"ByteLevel","add_prefix_space":true,"use_regex":false})");
  EXPECT_EQ(pieces_of(plain, "a b"), Pieces{" a b"});
  EXPECT_EQ(pieces_of(plain, " a"), Pieces{" a"});
}

TEST(PreTokenizer, SplitBehaviours) {
  const auto with = [](const std::string& behavior, const std::string& invert) {
    return pre_tokenizer_from(
        R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"[0-9]+"},"behavior":")" + behavior +
        R"(","invert":)" + invert + R"(},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})");
  };
  EXPECT_EQ(pieces_of(with("Isolated", "false"), "a12b3"), (Pieces{"a", "12", "b", "3"}));
  EXPECT_EQ(pieces_of(with("Removed", "false"), "a12b3"), (Pieces{"a", "b"}));
  EXPECT_EQ(pieces_of(with("Removed", "true"), "a12b3"), (Pieces{"12", "3"}));
  const auto behind_spaces =
      pre_tokenizer_from(R"({"type":"Split","pattern":{"String":" "},"behavior":"MergedWithPrevious","invert":false})");
  EXPECT_EQ(pieces_of(behind_spaces, "a b  c"), (Pieces{"a ", "b ", " ", "c"}));
  EXPECT_EQ(pieces_of(behind_spaces, " ab "), (Pieces{" ", "ab "}));
  EXPECT_TRUE(contains(error_of([&] { with("MergedWithPrevious", "false"); }), "/pretokenizers/0/behavior"));
  EXPECT_EQ(pieces_of(with("MergedWithNext", "false"), "a12b3"), (Pieces{"a", "12b", "3"}));
  EXPECT_TRUE(contains(error_of([&] { with("MergedWithNext", "true"); }), "/pretokenizers/0/behavior"));
  EXPECT_TRUE(contains(error_of([&] { with("Contiguous", "false"); }), "/pretokenizers/0/behavior"));
}

TEST(PreTokenizer, SmolLmDigits) {
  const auto digits =
      pre_tokenizer_from(R"({"type":"Sequence","pretokenizers":[{"type":"Digits","individual_digits":true},
    {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":true}]})");
  EXPECT_EQ(pieces_of(digits, "at 1024x"), (Pieces{"at", " ", "1", "0", "2", "4", "x"}));
}

TEST(PreTokenizer, LiteralPatternsAndEmptyMatches) {
  const auto literal =
      pre_tokenizer_from(R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"String":"."},
    "behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})");
  EXPECT_EQ(pieces_of(literal, "a.b"), (Pieces{"a", ".", "b"}));
  const auto empty = pre_tokenizer_from(R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"x*"},
    "behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})");
  EXPECT_EQ(pieces_of(empty, "äxxö"), (Pieces{"ä", "xx", "ö"}));
}

TEST(PreTokenizer, Metaspace) {
  const auto with = [](const std::string& options) {
    return pre_tokenizer_from(R"({"type":"Metaspace","replacement":"▁")" + options + "}");
  };
  EXPECT_EQ(pieces_of(with(""), "a  b"), (Pieces{"▁a", "▁", "▁b"}));
  EXPECT_EQ(pieces_of(with(R"(,"split":false)"), "a  b"), (Pieces{"▁a▁▁b"}));
  EXPECT_EQ(pieces_of(with(R"(,"split":false)"), " a"), (Pieces{"▁a"}));  // one that begins so gets no other
  EXPECT_EQ(pieces_of(with(R"(,"add_prefix_space":false)"), "a b"), (Pieces{"a", "▁b"}));
  EXPECT_EQ(pieces_of(with(R"(,"prepend_scheme":"never")"), "a b"), (Pieces{"a", "▁b"}));
  EXPECT_EQ(pieces_of(with(R"(,"prepend_scheme":"always")"), "a", Place::later), (Pieces{"▁a"}));
  EXPECT_EQ(pieces_of(with(R"(,"prepend_scheme":"first")"), "a"), (Pieces{"▁a"}));
  EXPECT_EQ(pieces_of(with(R"(,"prepend_scheme":"first")"), "a", Place::later), (Pieces{"a"}));
  EXPECT_TRUE(contains(error_of([&] { with(R"(,"prepend_scheme":"last")"); }), "/prepend_scheme: expected \"always\""));
  EXPECT_TRUE(
      contains(error_of([] { pre_tokenizer_from(R"({"type":"Metaspace","replacement":""})"); }), "/replacement"));
}

TEST(PreTokenizer, RefusesByName) {
  EXPECT_TRUE(contains(error_of([] { pre_tokenizer_from(R"({"type":"Whitespace"})"); }), "\"Whitespace\""));
  EXPECT_TRUE(contains(error_of([] {
                         pre_tokenizer_from(
                             R"({"type":"Split","pattern":{"Regex":"("},"behavior":"Isolated","invert":false})");
                       }),
                       "/pattern: expected a regular expression"));
}

TEST(PreTokenizer, LongRunsOfWhiteSpaceAreFine) {
  const std::string text = std::string(1'000'000, ' ') + "x";
  EXPECT_EQ(pieces_of(PreTokenizer::gpt2(), text), (Pieces{std::string(999'999, ' '), " x"}));
}

}  // namespace
}  // namespace retort::text
