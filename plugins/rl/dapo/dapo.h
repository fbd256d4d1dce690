// DAPO's soft overlong punishment (Yu et al., arXiv 2503.14476, eq. 13), of a response of |y| tokens:
//   0                                    |y| ≤ L_max − L_cache
//   ((L_max − L_cache) − |y|) / L_cache  in between: from 0 down to −1
//   −1                                   |y| > L_max
#pragma once

namespace retort::rl {

double soft_overlong(double tokens, double longest, double buffer);

}  // namespace retort::rl
