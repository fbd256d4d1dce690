// Reads numbers, durations and times of day out of spoken English. Knows nothing of tools.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace retort::rules {

using Words = std::vector<std::string>;

/// A value and the words [begin, end) that said it.
struct Reading {
  int value = 0;
  std::size_t end = 0;
};

/// "42", "forty two", "one hundred eighty", "two hundred and ten": the longest number that begins at `begin`.
std::optional<Reading> read_number(const Words& words, std::size_t begin);

/// "ten minutes", "two hours", "half an hour", "an hour and a half", "a quarter of an hour", in minutes.
std::optional<Reading> read_duration(const Words& words, std::size_t begin);

/// "18:30", "6:30 pm", "half past six in the evening", "seven thirty", "noon", "eight o'clock at night", in minutes of
/// the day. Without a part of the day the hour is taken as said. A lone number is a time only with am, pm, o'clock or a
/// part of the day.
std::optional<Reading> read_time(const Words& words, std::size_t begin);

std::string clock_text(int minutes_of_day);  ///< "18:30"

}  // namespace retort::rules
