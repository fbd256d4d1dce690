// Pieces of text between two tokenizers: by hand, and against the slow definition (every pair of ends) on random cuts.
#include "train/text_spans.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>

namespace retort::train {
namespace {

using Tokens = std::vector<std::string>;
using Spans = std::vector<TextSpan>;

TEST(TextSpans, EndsThatBothShare) {
  EXPECT_EQ(text_spans({"to", " kit", "chen"}, {"to", " kitchen"}), (Spans{{0, 1, 0, 1}, {1, 2, 1, 1}}));
  EXPECT_EQ(text_spans({"ab", "c"}, {"a", "bc"}), (Spans{{0, 2, 0, 2}}));
  EXPECT_EQ(text_spans({"<|end|>"}, {"<|end|>"}), (Spans{{0, 1, 0, 1}}));
  EXPECT_EQ(text_spans({"\xc3", "\xa4", "x"}, {"\xc3\xa4", "x"}), (Spans{{0, 2, 0, 1}, {2, 1, 1, 1}}));  // half of ä
  EXPECT_EQ(text_spans({}, {}), Spans{});
}

TEST(TextSpans, TokensThatWriteNothing) {
  EXPECT_EQ(text_spans({"a", "", "b"}, {"a", "b"}), (Spans{{0, 1, 0, 1}, {1, 2, 1, 1}}));
  EXPECT_EQ(text_spans({"a"}, {"a", ""}), (Spans{{0, 1, 0, 2}}));
  EXPECT_EQ(text_spans({"a"}, {"", "a"}), (Spans{{0, 1, 0, 2}}));
}

TEST(TextSpans, AnotherTextIsRefused) {
  for (const Tokens& other : {Tokens{"kitchen!"}, Tokens{"kit"}, Tokens{" kitchen"}, Tokens{}}) try {
      text_spans({"kit", "chen"}, other);
      FAIL() << "another text was accepted";
    } catch (const std::invalid_argument& error) {
      EXPECT_NE(std::string(error.what()).find("\"kitchen\""), std::string::npos) << error.what();
    }
}

/// Ends of tokens, in bytes.
std::set<std::size_t> ends_of(const Tokens& tokens) {
  std::set<std::size_t> ends;
  std::size_t end = 0;
  for (const std::string& token : tokens) ends.insert(end += token.size());
  return ends;
}

Tokens random_cut(const std::string& text, SeededSequence& random) {
  Tokens tokens;
  for (std::size_t begin = 0; begin < text.size(); begin += tokens.back().size())
    tokens.push_back(text.substr(begin, 1 + random.below(4)));
  return tokens;
}

TEST(TextSpans, RandomCutsFollowTheDefinition) {
  SeededSequence random(3, 1);
  for (int round = 0; round < 200; ++round) {
    const std::string text = std::string("the light in the kitchen").substr(0, 1 + random.below(24));
    const Tokens student = random_cut(text, random), teacher = random_cut(text, random);
    const std::set<std::size_t> one = ends_of(student), other = ends_of(teacher);
    std::size_t shared = 0;
    for (const std::size_t end : one) shared += other.count(end);
    const Spans spans = text_spans(student, teacher);
    ASSERT_EQ(spans.size(), shared);
    std::int64_t i = 0, j = 0;
    for (const TextSpan& span : spans) {  // they follow each other, and each writes one text
      ASSERT_EQ(span.student, i);
      ASSERT_EQ(span.teacher, j);
      std::string written, expected;
      for (std::int64_t n = 0; n < span.student_tokens; ++n) written += student[static_cast<std::size_t>(i++)];
      for (std::int64_t n = 0; n < span.teacher_tokens; ++n) expected += teacher[static_cast<std::size_t>(j++)];
      ASSERT_EQ(written, expected);
    }
    ASSERT_EQ(i, static_cast<std::int64_t>(student.size()));
    ASSERT_EQ(j, static_cast<std::int64_t>(teacher.size()));
  }
}

}  // namespace
}  // namespace retort::train
