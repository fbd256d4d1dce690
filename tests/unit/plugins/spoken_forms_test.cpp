// The many forms of values: the rule teacher's reader, which shares no code with them, reads back those that it knows;
// the others are compared with lists written by hand.
#include "spoken_forms.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "rules.h"
#include "spoken.h"
#include "spoken_values.h"

namespace retort::home {
namespace {

using Words = std::vector<std::string>;

Words split(const std::string& text) {
  Words words;
  std::string word;
  for (const char c : text + " ") {
    if (c != ' ' && c != '-') {
      word += c;
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  return words;
}

template <class Say>
std::set<std::string> forms(int value, Say say) {
  Random random(1);
  std::set<std::string> all;
  for (int i = 0; i < 400; ++i) all.insert(say(value, random));
  return all;
}

TEST(SpokenForms, NumbersAreReadBack) {
  for (int number = 0; number < 400; ++number) {
    for (const std::string& form : forms(number, any_number)) {
      const bool leading_article = form.starts_with("a ");
      const Words words = split(leading_article ? "one" + form.substr(1) : form);
      const auto reading = rules::read_number(words, 0);
      ASSERT_TRUE(reading.has_value()) << form;
      EXPECT_TRUE(reading->end != words.size() || reading->value == number) << form;
    }
  }
  EXPECT_EQ(forms(180, any_number).count("one eighty"), 1U);
  EXPECT_EQ(forms(180, any_number).count("a hundred and eighty"), 1U);
  EXPECT_EQ(number_words(1280), "twelve hundred eighty");
  EXPECT_EQ(number_words(2005), "two thousand five");
  EXPECT_EQ(number_words(40000), "forty thousand");
}

TEST(SpokenForms, TimesAreReadBack) {
  std::size_t read = 0;
  for (int minutes = 0; minutes < 1440; minutes += 5) {
    for (const std::string& form : forms(minutes, any_time)) {
      const Words words = split(form);
      const auto reading = rules::read_time(words, 0);
      if (!reading || reading->end != words.size()) continue;
      ++read;
      EXPECT_EQ(clock_text(reading->value), clock_text(minutes)) << form;
    }
  }
  EXPECT_GT(read, 2000U);
}

TEST(SpokenForms, TimesHaveAllSpellings) {
  const std::set<std::string> evening = forms(19 * 60 + 30, any_time);
  for (const char* form : {"7:30pm", "7:30 pm", "19:30", "7.30 pm", "seven thirty in the evening",
                           "half past seven in the evening", "7:30 p.m."})
    EXPECT_EQ(evening.count(form), 1U) << form;
  EXPECT_EQ(evening.count("seven thirty"), 0U) << "as said, that is the morning";
  EXPECT_EQ(forms(7 * 60, any_time).count("seven o'clock"), 1U);
  EXPECT_EQ(forms(12 * 60, any_time).count("noon"), 1U);
  EXPECT_EQ(forms(0, any_time).count("midnight"), 1U);
}

TEST(SpokenForms, DurationsAreReadBack) {
  std::size_t read = 0;
  for (int minutes = 1; minutes <= 600; ++minutes) {
    for (const std::string& form : forms(minutes, any_duration)) {
      const Words words = split(form);
      const auto reading = rules::read_duration(words, 0);
      if (!reading || reading->end != words.size()) continue;
      ++read;
      EXPECT_EQ(reading->value, minutes) << form;
    }
  }
  EXPECT_GT(read, 600U);
  for (const char* form : {"an hour and a half", "1.5 hours", "90 min", "90 minutes"})
    EXPECT_EQ(forms(90, any_duration).count(form), 1U) << form;
  EXPECT_EQ(forms(80, any_duration).count("1 hour and twenty minutes"), 1U);
}

TEST(SpokenForms, DegreesAndPercentHaveTheirSigns) {
  for (const char* form :
       {"21", "21°", "21°C", "21 C", "21 degrees", "twenty one degrees", "twenty-one", "21 degrees celsius"})
    EXPECT_EQ(forms(21, any_degrees).count(form), 1U) << form;
  for (const char* form : {"40", "40%", "40 %", "40 percent", "forty percent", "forty per cent"})
    EXPECT_EQ(forms(40, any_percent).count(form), 1U) << form;
}

}  // namespace
}  // namespace retort::home
