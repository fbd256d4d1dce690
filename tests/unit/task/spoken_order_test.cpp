// The order of arguments in an utterance: word bounds, what is not said, ties.
#include "task/spoken_order.h"

#include <gtest/gtest.h>

namespace retort::task {
namespace {

using Names = std::vector<std::string>;

TEST(SpokenOrder, FollowsTheUtterance) {
  EXPECT_EQ(spoken_order("book a table for 5 in cle elum ne tomorrow",
                         {{"city", "cle elum"}, {"size", "5"}, {"state", "ne"}, {"time", "tomorrow"}}),
            (Names{"size", "city", "state", "time"}));
  EXPECT_EQ(spoken_order("", {{"b", "x"}, {"a", "y"}}), (Names{"b", "a"}));
  EXPECT_EQ(spoken_order("no argument", {}), Names{});
}

TEST(SpokenOrder, FindsWholeWordsOnly) {
  EXPECT_EQ(spoken_order("i need a table in ne", {{"state", "ne"}, {"what", "table"}}), (Names{"what", "state"}));
  EXPECT_EQ(spoken_order("Å la carte, a la carte", {{"second", "a la"}, {"first", "carte"}}),
            (Names{"first", "second"}));
  EXPECT_EQ(spoken_order("xé é", {{"accented", "é"}, {"x", "xé"}}), (Names{"x", "accented"}));
  EXPECT_EQ(spoken_order("play s t r e e t", {{"album", "s t r e e t"}, {"verb", "play"}}), (Names{"verb", "album"}));
  EXPECT_EQ(spoken_order("at 5:30, please", {{"word", "please"}, {"time", "5:30"}}), (Names{"time", "word"}));
}

TEST(SpokenOrder, WhatIsNotSaidComesLastInTheOrderGiven) {
  EXPECT_EQ(spoken_order("set it to forty in the den", {{"level", "40"}, {"empty", ""}, {"room", "den"}}),
            (Names{"room", "level", "empty"}));
  EXPECT_EQ(spoken_order("den", {{"level", "a value that is longer than the utterance"}, {"room", "den"}}),
            (Names{"room", "level"}));
}

TEST(SpokenOrder, TheSamePlaceKeepsTheOrderGiven) {
  EXPECT_EQ(spoken_order("play thriller", {{"track", "thriller"}, {"album", "thriller"}}), (Names{"track", "album"}));
}

}  // namespace
}  // namespace retort::task
