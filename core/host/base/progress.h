// How far long work is, with rate and time left: a bar on a terminal, a plain line now and then elsewhere.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "host/base/terminal.h"

namespace retort::host {

/// "sft: train [######····] 60%  600/1000 steps  12.5 steps/s  0:32 left". `total` 0: not known. `rate` in units a
/// second, 0: not known.
std::string format_progress(const std::string& label, std::int64_t done, std::int64_t total, const std::string& unit,
                            double rate, bool with_bar);

/// "0:05", "12:34", "3:04:05".
std::string format_duration(double seconds);

/// [one thread]
class Progress {
 public:
  using Clock = std::chrono::steady_clock;
  /// Draws at most ten times a second on a terminal; else prints a line at most every `plain_interval`, and one at the
  /// end of each label.
  explicit Progress(Terminal& terminal, bool quiet = false, Clock::duration plain_interval = std::chrono::seconds(10))
      : terminal_(terminal), quiet_(quiet), plain_interval_(plain_interval) {}
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(const std::string& label, std::int64_t done, std::int64_t total, const std::string& unit,
              Clock::time_point now = Clock::now());
  void clear();

 private:
  void begin(const std::string& label, std::int64_t done, Clock::time_point now);

  Terminal& terminal_;
  bool quiet_;
  Clock::duration plain_interval_;
  std::string label_;
  std::int64_t first_done_ = 0;  ///< of this label: a resumed stage does not start at 0, and rates must not count that
  Clock::time_point started_{}, drawn_{};
  bool finished_ = false;
};

}  // namespace retort::host
