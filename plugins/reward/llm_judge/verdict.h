// What a judge's text says: a number in [0, 1], alone or as {"score": …, "reason": …}.
#pragma once

#include <string>
#include <string_view>

namespace retort::llm_judge {

struct Verdict {
  double score = 0.0;     ///< in [0, 1]
  std::string reason;     ///< the judge's own; may be empty
  std::string malformed;  ///< not empty: why there is no score
};

/// Reads, in this order: a JSON object with "score", anywhere in the text (the last one counts: judges think first);
/// the only number of the text. "7/10" is two numbers, and 7 is not in [0, 1]: both are malformed.
Verdict read_verdict(std::string_view text);

}  // namespace retort::llm_judge
