// How likely a packaged model finds the right answers, and what reading and writing them takes: each expected answer is
// fed token by token, whatever the model would have said. Says something of a model that answers nothing right yet, and
// costs the same for every model of a shape.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "runtime/measure/evaluation.h"

namespace retort::runtime {

struct ForcedAnswers {
  std::int64_t answers = 0;  ///< that were fed
  std::int64_t skipped = 0;  ///< that the model's form or tokenizer cannot write, or its context does not hold
  std::int64_t tokens = 0;   ///< of the answers, their ends among them
  double loss = 0;           ///< mean −ln p of these tokens, without a grammar; 0 where there are none
  double p50_ms = 0;         ///< of one prompt with its answer: prefill and decode alone
  double perplexity() const;
};

/// `data` in order, after a warm-up of two; `progress(done, total)` may be empty; it returns false to stop early (the
/// function then throws std::runtime_error). Throws std::invalid_argument where no answer could be fed.
ForcedAnswers force_answers(CallModel& model, const std::vector<LabelledUtterance>& data,
                            const std::function<bool(std::int64_t, std::int64_t)>& progress = {});

}  // namespace retort::runtime
