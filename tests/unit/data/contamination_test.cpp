// n-grams of a test set in what is trained on.
#include "data/contamination.h"

#include <gtest/gtest.h>

#include "data/text_words.h"

namespace retort::data {
namespace {

TEST(ReferenceTexts, AreHeldByTheSameWords) {
  ReferenceTexts references(8, 0.5);
  references.add(words_of("Play some jazz."));
  const auto held = references.held_by(words_of("play SOME jazz"));
  ASSERT_TRUE(held);
  EXPECT_EQ(held->reference, 0U);
  EXPECT_EQ(held->share, 1);
  // shorter than an n-gram: a longer text that holds it is another request
  EXPECT_FALSE(references.held_by(words_of("play some jazz in the kitchen")));
}

TEST(ReferenceTexts, AreHeldByNGramsThatCoverAShareOfTheirWords) {
  ReferenceTexts references(3, 0.5);
  references.add({"a", "b", "c", "d", "e", "f", "g", "h"});
  // a b c d: two 3-grams, four of eight words
  const auto half = references.held_by({"x", "a", "b", "c", "d", "y"});
  ASSERT_TRUE(half);
  EXPECT_DOUBLE_EQ(half->share, 0.5);
  EXPECT_FALSE(references.held_by({"x", "a", "b", "c", "y"}));                 // three of eight
  EXPECT_FALSE(references.held_by({"a", "b", "x", "c", "d", "y", "e", "f"}));  // no three together
  const auto apart = references.held_by({"a", "b", "c", "x", "f", "g", "h"});  // six of eight, in two places
  ASSERT_TRUE(apart);
  EXPECT_DOUBLE_EQ(apart->share, 0.75);
}

TEST(ReferenceTexts, ALongTextHoldsAShortOneWhole) {
  ReferenceTexts references(3, 0.9);
  references.add({"p", "q", "r", "s"});
  references.add({"a", "b", "c", "d"});
  const auto held = references.held_by({"1", "2", "3", "4", "5", "a", "b", "c", "d", "6", "7", "8", "9"});
  ASSERT_TRUE(held);
  EXPECT_EQ(held->reference, 1U);
  EXPECT_EQ(held->share, 1);
}

TEST(ReferenceTexts, RefusesWhatIsNoNGramAndNoShare) {
  EXPECT_THROW(ReferenceTexts(1, 0.5), std::invalid_argument);
  EXPECT_THROW(ReferenceTexts(8, 0), std::invalid_argument);
  EXPECT_THROW(ReferenceTexts(8, 1.1), std::invalid_argument);
}

}  // namespace
}  // namespace retort::data
