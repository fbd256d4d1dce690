// The rule teacher's reading of numbers and times, against a table made by hand and against how the grammar says them.
#include "spoken_values.h"

#include <gtest/gtest.h>

#include <string>

#include "phrase.h"
#include "spoken.h"

namespace retort::rules {
namespace {

struct ValueCase {
  const char* said;
  int value;
};

TEST(SpokenValues, ReadsNumbers) {
  const ValueCase cases[] = {{"zero", 0},
                             {"seven", 7},
                             {"42", 42},
                             {"forty two", 42},
                             {"ninety", 90},
                             {"one hundred", 100},
                             {"one hundred eighty", 180},
                             {"two hundred and ten", 210},
                             {"two hundred twenty five", 225}};
  for (const ValueCase& one : cases) {
    const Words words = split_words(one.said);
    const auto reading = read_number(words, 0);
    ASSERT_TRUE(reading.has_value()) << one.said;
    EXPECT_EQ(reading->value, one.value) << one.said;
    EXPECT_EQ(reading->end, words.size()) << one.said;
  }
  EXPECT_FALSE(read_number({"kitchen"}, 0));
  EXPECT_FALSE(read_number({"99999"}, 0));
  EXPECT_FALSE(read_number({}, 0));
}

TEST(SpokenValues, ReadsDurationsInMinutes) {
  const ValueCase cases[] = {{"ten minutes", 10},  {"45 minutes", 45},         {"a minute", 1},
                             {"an hour", 60},      {"an hour and a half", 90}, {"one and a half hours", 90},
                             {"half an hour", 30}, {"two hours", 120},         {"a quarter of an hour", 15}};
  for (const ValueCase& one : cases) {
    const Words words = split_words(one.said);
    const auto reading = read_duration(words, 0);
    ASSERT_TRUE(reading.has_value()) << one.said;
    EXPECT_EQ(reading->value, one.value) << one.said;
    EXPECT_EQ(reading->end, words.size()) << one.said;
  }
  EXPECT_FALSE(read_duration({"ten", "degrees"}, 0));
}

struct TimeCase {
  const char* said;
  const char* clock;
};

TEST(SpokenValues, ReadsTimesOfDay) {
  const TimeCase cases[] = {{"18:30", "18:30"},
                            {"6:30 pm", "18:30"},
                            {"half past six in the evening", "18:30"},
                            {"quarter to seven in the morning", "06:45"},
                            {"quarter to one in the afternoon", "12:45"},
                            {"ten past eight at night", "20:10"},
                            {"twenty five to nine in the morning", "08:35"},
                            {"seven thirty", "07:30"},
                            {"seven oh five in the evening", "19:05"},
                            {"seven o'clock", "07:00"},
                            {"eight o'clock at night", "20:00"},
                            {"7 am", "07:00"},
                            {"12 pm", "12:00"},
                            {"12:30 am", "00:30"},
                            {"twelve fifteen pm", "12:15"},
                            {"noon", "12:00"},
                            {"midnight", "00:00"}};
  for (const TimeCase& one : cases) {
    const Words words = split_words(one.said);
    const auto reading = read_time(words, 0);
    ASSERT_TRUE(reading.has_value()) << one.said;
    EXPECT_EQ(clock_text(reading->value), one.clock) << one.said;
    EXPECT_EQ(reading->end, words.size()) << one.said;
  }
  for (const char* said : {"seven", "21 degrees", "half the milk", "29:00", "kitchen"}) {
    EXPECT_FALSE(read_time(split_words(said), 0)) << said;
  }
}

TEST(SpokenValues, ReadsEveryTimeAsTheGrammarSaysIt) {
  home::Random random(5);
  for (int minutes = 5 * 60; minutes < 24 * 60; minutes += 5) {
    for (int repeat = 0; repeat < 12; ++repeat) {
      const std::string said = home::say_time(minutes, random);
      const auto reading = read_time(split_words(said), 0);
      ASSERT_TRUE(reading.has_value()) << said;
      EXPECT_EQ(clock_text(reading->value), home::clock_text(minutes)) << said;
    }
  }
}

}  // namespace
}  // namespace retort::rules
