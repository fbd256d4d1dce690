#include "host/base/numeric_environment.h"

#include <cfenv>
#include <cstdlib>
#if defined(__x86_64__)
#include <xmmintrin.h>
#endif

#include "host/base/log.h"

namespace retort::host {

void prepare_numeric_environment() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl"))
    ::setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
#endif
}

namespace {

#if defined(__x86_64__)
constexpr unsigned status_flags = 0x3F;         // which exceptions happened: not a setting
constexpr unsigned processor_default = 0x1F80;  // to nearest, denormals kept, every exception masked

bool restore_vector_unit() {
  const unsigned found = _mm_getcsr();
  if ((found & ~status_flags) == processor_default) return false;
  _mm_setcsr((found & status_flags) | processor_default);
  return true;
}
#else
bool restore_vector_unit() {
  return false;
}
#endif

}  // namespace

void restore_floating_point(const std::string& who) {
  const bool rounding = std::fegetround() != FE_TONEAREST && std::fesetround(FE_TONEAREST) == 0;
  const bool vector_unit = restore_vector_unit();
  if (rounding || vector_unit)
    log_warning(who +
                ": changed how this thread rounds, treats denormal numbers or traps; restored, since it would "
                "change the results of everything after it");
}

}  // namespace retort::host
