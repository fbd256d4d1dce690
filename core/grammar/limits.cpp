// See limits.h.
#include "grammar/limits.h"

#include <stdexcept>

namespace retort::grammar {
namespace {

using Time = std::chrono::steady_clock::time_point;
thread_local Time end = Time::max();

}  // namespace

void check_limits(std::size_t found, std::size_t most, const char* what) {
  if (found > most)
    throw std::invalid_argument("too large for a grammar: more than " + std::to_string(most) + " " + what);
  if (end != Time::max() && std::chrono::steady_clock::now() > end)
    throw std::invalid_argument("too large for a grammar: compiling it takes longer than its limit");
}

CompileClock::CompileClock(double seconds) : before_(end) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::duration_cast<std::chrono::steady_clock::duration>(
                                                            std::chrono::duration<double>(seconds));
  if (limit < end) end = limit;
}

CompileClock::~CompileClock() {
  end = before_;
}

}  // namespace retort::grammar
