// The formula of dapo.h, in f64.
#include "dapo.h"

namespace retort::rl {

double soft_overlong(double tokens, double longest, double buffer) {
  if (tokens > longest) return -1;
  if (!(buffer > 0) || tokens <= longest - buffer) return 0;
  return (longest - buffer - tokens) / buffer;
}

}  // namespace retort::rl
