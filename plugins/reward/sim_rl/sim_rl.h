// STAR's reward for calls (arXiv 2602.03022, Sim-RL), by the matching rules of its published code:
//  1. An answer that is no answer, an unknown tool or an argument that the tool does not have: −1. Nothing else of the
//     schema is looked at.
//  2. The reference has calls, the answer none: 0.
//  3. Calls, one after the other, each against the reference's unmatched calls of its name, the most alike of which is
//     taken (greedy): Σ similarity / (calls + unmatched calls of the reference). Order does not count.
//  4. Similarity of two calls: Σ over arguments of both / (arguments of the answer's + those of the reference's alone);
//     two calls without arguments: 1. Two strings: ROUGE-L with a stemmer. Two numbers or booleans: equal or not, 1 and
//     1.0 and true being equal. Others: equal as text.
//  5. The reference is a text: ROUGE-L of both texts; 0 for an answer that says nothing or makes calls.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace retort::sim_rl {

/// ROUGE-L F1 as the package rouge_score computes it (lower case, words of a-z and 0-9, stems of words of more than
/// three letters). Equal texts: 1; one that is blank against another: 0.
double rouge_l(const std::string& said, const std::string& reference);

double argument_similarity(const nlohmann::json& said, const nlohmann::json& reference);
double call_similarity(const nlohmann::json& said, const nlohmann::json& reference);
/// Rule 3; lists of {"name", "arguments"}. Two empty ones: 1.
double calls_similarity(const nlohmann::json& said, const nlohmann::json& reference);

struct Verdict {
  double score = 0;  ///< in [−1, 1]
  std::string reason;
  bool malformed = false;
};

/// An item of retort/abi/reward.h with a reference. `tools`: the OpenAI array that holds for it. Throws
/// std::invalid_argument for an item or tools that cannot be read.
Verdict judge(const nlohmann::json& item, const nlohmann::json& tools);

}  // namespace retort::sim_rl
