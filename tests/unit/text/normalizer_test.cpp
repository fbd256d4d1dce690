// Each normalizer alone and in a Sequence, and refusals by JSON pointer.
#include "text/normalizer.h"

#include "fixtures.h"

namespace retort::text {
namespace {

using tests::contains;
using tests::error_of;

Normalizer from(const std::string& json) {
  const auto document = nlohmann::json::parse(json);
  return Normalizer::from_json(host::JsonCursor(document, "t.json"));
}

TEST(Normalizer, NothingWithoutSteps) {
  EXPECT_TRUE(Normalizer().changes_nothing());
  EXPECT_EQ(Normalizer().apply(" e\u0301 "), " e\u0301 ");
}

TEST(Normalizer, Nfc) {
  const Normalizer normalizer = from(R"({"type":"NFC"})");
  EXPECT_EQ(normalizer.apply("e\u0301"), "é");
  EXPECT_EQ(normalizer.apply("\u1100\u1161\u11A8"), "각");  // Unicode standard, 3.12
  EXPECT_EQ(normalizer.apply("\u212B"), "Å");
  EXPECT_EQ(normalizer.apply("ﬁ"), "ﬁ");  // compatibility characters are NFKC's concern
}

TEST(Normalizer, PrependLeavesEmptyTextEmpty) {
  const Normalizer normalizer = from(R"({"type":"Prepend","prepend":"▁"})");
  EXPECT_EQ(normalizer.apply("a"), "▁a");
  EXPECT_EQ(normalizer.apply(" a"), "▁ a");
  EXPECT_EQ(normalizer.apply(""), "");
}

TEST(Normalizer, ReplaceTextOrPattern) {
  EXPECT_EQ(from(R"({"type":"Replace","pattern":{"String":" "},"content":"▁"})").apply(" a  b "), "▁a▁▁b▁");
  EXPECT_EQ(from(R"({"type":"Replace","pattern":{"String":"aa"},"content":"a"})").apply("aaaaa"), "aaa");
  EXPECT_EQ(from(R"({"type":"Replace","pattern":{"Regex":"\\s+"},"content":" "})").apply("a \n\tb"), "a b");
}

TEST(Normalizer, SequenceGoesInOrder) {
  const Normalizer llama = from(R"({"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},
    {"type":"Replace","pattern":{"String":" "},"content":"▁"}]})");
  EXPECT_EQ(llama.apply(" a b"), "▁▁a▁b");
}

TEST(Normalizer, RefusesToGrowWithoutMeasure) {
  std::string steps;
  for (int i = 0; i < 30; ++i)
    steps += std::string(i > 0 ? "," : "") + R"({"type":"Replace","pattern":{"String":"a"},"content":"aaaaaaaa"})";
  const Normalizer normalizer = from(R"({"type":"Sequence","normalizers":[)" + steps + "]}");
  EXPECT_EQ(normalizer.apply("b"), "b");
  EXPECT_TRUE(contains(error_of([&] { normalizer.apply("a"); }), "expected text to stay below 64 times its size"));
}

TEST(Normalizer, RefusesByName) {
  EXPECT_TRUE(contains(error_of([] { from(R"({"type":"Lowercase"})"); }), "/type: expected \"NFC\""));
  EXPECT_TRUE(contains(error_of([] { from(R"({"type":"Replace","pattern":{"Regex":"("},"content":""})"); }),
                       "/pattern: expected a regular expression"));
  EXPECT_TRUE(contains(error_of([] { from(R"({"type":"Replace","pattern":{"Regex":"x*"},"content":""})"); }),
                       "that matches no empty text"));
  EXPECT_TRUE(contains(error_of([] { from(R"({"type":"Replace","pattern":{"String":""},"content":""})"); }),
                       "/pattern/String: expected a text"));
  EXPECT_TRUE(contains(error_of([] { from(R"({"type":"Prepend"})"); }), "prepend"));
}

}  // namespace
}  // namespace retort::text
