// Votes over several answers to one request (self-consistency, arXiv 2203.11171), and the share that agrees: the solve
// rate that a row keeps.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace retort::stages {

struct Vote {
  std::size_t winner = 0;  ///< index of the first answer of the largest group; the earlier group where two are equal
  std::size_t agreeing = 0, answers = 0;
  double solve_rate() const { return answers == 0 ? 0 : static_cast<double>(agreeing) / static_cast<double>(answers); }
};

/// `ballots`: what each answer comes to, equal texts for equal answers; "" for an answer that is none, which counts but
/// wins only where nothing else was answered.
inline Vote vote(const std::vector<std::string>& ballots) {
  std::map<std::string, std::size_t> count;
  for (const std::string& ballot : ballots) ++count[ballot];
  Vote result;
  result.answers = ballots.size();
  for (std::size_t i = 0; i < ballots.size(); ++i)
    if (!ballots[i].empty() && count[ballots[i]] > result.agreeing) {
      result.winner = i;
      result.agreeing = count[ballots[i]];
    }
  return result;
}

}  // namespace retort::stages
