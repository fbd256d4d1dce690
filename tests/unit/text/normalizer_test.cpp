// Each normalizer alone and in a Sequence, and refusals by JSON pointer.
#include "text/normalizer.h"

#include "fixtures.h"

namespace retort::text {
namespace {

using tests::contains;
using tests::error_of;

Normalizer normalizer_from(const std::string& json) {
  const auto document = nlohmann::json::parse(json);
  return Normalizer::from_json(host::JsonCursor(document, "t.json"));
}

TEST(Normalizer, NothingWithoutSteps) {
  EXPECT_TRUE(Normalizer().changes_nothing());
  EXPECT_EQ(Normalizer().apply(" e\u0301 "), " e\u0301 ");
}

TEST(Normalizer, Nfc) {
  const Normalizer normalizer = normalizer_from(R"({"type":"NFC"})");
  EXPECT_EQ(normalizer.apply("e\u0301"), "é");
  EXPECT_EQ(normalizer.apply("\u1100\u1161\u11A8"), "각");  // Unicode standard, 3.12
  EXPECT_EQ(normalizer.apply("\u212B"), "Å");
  EXPECT_EQ(normalizer.apply("ﬁ"), "ﬁ");  // compatibility characters are NFKC's concern
}

/// Unicode 3.12: S = 0xAC00 + (L · 21 + V) · 28 + T, for all conjoining jamo. U+11A7, one before the first final
/// consonant, composes with nothing.
TEST(Normalizer, NfcOfAllHangul) {
  const auto utf8 = [](unsigned c) {
    return std::string{static_cast<char>(0xE0U | c >> 12U), static_cast<char>(0x80U | (c >> 6U & 0x3FU)),
                       static_cast<char>(0x80U | (c & 0x3FU))};
  };
  constexpr unsigned first = 0x1100, vowel = 0x1161, before_finals = 0x11A7;
  for (unsigned l = 0; l < 19; ++l)
    for (unsigned v = 0; v < 21; ++v) {
      const unsigned open = 0xAC00 + (l * 21 + v) * 28;
      const std::string jamo = utf8(first + l) + utf8(vowel + v);
      ASSERT_EQ(to_nfc(jamo), utf8(open));
      ASSERT_EQ(to_nfc(jamo + utf8(before_finals)), utf8(open) + utf8(before_finals));
      ASSERT_EQ(to_nfc(utf8(open) + utf8(before_finals)), utf8(open) + utf8(before_finals));
      for (unsigned t = 1; t < 28; ++t) {
        const std::string final_consonant = utf8(before_finals + t);
        ASSERT_EQ(to_nfc(jamo + final_consonant), utf8(open + t));
        ASSERT_EQ(to_nfc(utf8(open) + final_consonant), utf8(open + t));
        ASSERT_EQ(to_nfc(utf8(open + t) + final_consonant), utf8(open + t) + final_consonant);
        ASSERT_EQ(to_nfc(utf8(open + t) + utf8(before_finals)), utf8(open + t) + utf8(before_finals));
      }
    }
  EXPECT_EQ(to_nfc("e\u11a7\u0301e\u0301"), "e\u11a7\u0301é");
}

TEST(Normalizer, PrependLeavesEmptyTextEmpty) {
  const Normalizer normalizer = normalizer_from(R"({"type":"Prepend","prepend":"▁"})");
  EXPECT_EQ(normalizer.apply("a"), "▁a");
  EXPECT_EQ(normalizer.apply(" a"), "▁ a");
  EXPECT_EQ(normalizer.apply(""), "");
}

TEST(Normalizer, ReplaceTextOrPattern) {
  EXPECT_EQ(normalizer_from(R"({"type":"Replace","pattern":{"String":" "},"content":"▁"})").apply(" a  b "), "▁a▁▁b▁");
  EXPECT_EQ(normalizer_from(R"({"type":"Replace","pattern":{"String":"aa"},"content":"a"})").apply("aaaaa"), "aaa");
  EXPECT_EQ(normalizer_from(R"({"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "})").apply("a \n\tb"), "a b");
  // At empty matches something is put in; these are Hugging Face tokenizers 0.23.3's.
  EXPECT_EQ(normalizer_from(R"({"type":"Replace","pattern":{"Regex":"x*"},"content":"-"})").apply("abxxcd"),
            "-a-b-c-d-");
  EXPECT_EQ(normalizer_from(R"({"type":"Replace","pattern":{"Regex":"^ +"},"content":"_"})").apply(" a\n  b"),
            "_a\n_b");
  EXPECT_EQ(normalizer_from(R"({"type":"Replace","pattern":{"Regex":"$"},"content":"-"})").apply("ab\ncd"), "ab-\ncd-");
}

TEST(Normalizer, SequenceGoesInOrder) {
  const Normalizer llama = normalizer_from(R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
    {"type":"Replace","pattern":{"String":" "},"content":"▁"}]})");
  EXPECT_EQ(llama.apply(" a b"), "▁▁a▁b");
}

TEST(Normalizer, RefusesToGrowWithoutMeasure) {
  std::string steps;
  for (int i = 0; i < 30; ++i)
    steps += std::string(i > 0 ? "," : "") + R"({"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaa"})";
  const Normalizer normalizer = normalizer_from(R"({"type":"Sequence","normalizers":[)" + steps + "]}");
  EXPECT_EQ(normalizer.apply("b"), "b");
  EXPECT_TRUE(contains(error_of([&] { normalizer.apply("a"); }), "expected text to stay below 64 times its size"));
}

TEST(Normalizer, RefusesByName) {
  EXPECT_TRUE(contains(error_of([] { normalizer_from(R"({"type":"Lowercase"})"); }), "/type: expected \"NFC\""));
  EXPECT_TRUE(contains(error_of([] { normalizer_from(R"({"type":"Replace","pattern":{"Regex":"("},"content":""})"); }),
                       "/pattern: expected a regular expression"));
  EXPECT_TRUE(contains(error_of([] { normalizer_from(R"({"type":"Replace","pattern":{"String":""},"content":""})"); }),
                       "/pattern/String: expected a text"));
  EXPECT_TRUE(contains(error_of([] { normalizer_from(R"({"type":"Prepend"})"); }), "prepend"));
}

}  // namespace
}  // namespace retort::text
