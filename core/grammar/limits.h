// What a grammar may cost: a schema that exceeds it is refused, never compiled for minutes.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>

namespace retort::grammar {

/// Throws std::invalid_argument "more than … WHAT" where `found` exceeds `most`, and where the time of the CompileClock
/// that lives on this thread is over.
void check_limits(std::size_t found, std::size_t most, const char* what);

/// While it lives, check_limits() on this thread refuses after `seconds`.
class CompileClock {
 public:
  explicit CompileClock(double seconds);
  ~CompileClock();
  CompileClock(const CompileClock&) = delete;
  CompileClock& operator=(const CompileClock&) = delete;

 private:
  std::chrono::steady_clock::time_point before_;
};

inline constexpr double most_compile_seconds = 2;

}  // namespace retort::grammar
