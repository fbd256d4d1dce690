// ROUGE-L, and the two levels of soft Jaccard on top of it. The rules about malformed calls are function_call.cpp's.
#include "similarity.h"

#include <algorithm>
#include <sstream>
#include <vector>

#include "longest_common_subsequence.h"

namespace retort::call_reward {
namespace {

using nlohmann::json;

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace

double rouge_l(const std::string& left, const std::string& right) {
  const std::vector<std::string> a = words_of(left);
  const std::vector<std::string> b = words_of(right);
  if (a.empty() && b.empty()) return 1.0;
  return 2.0 * static_cast<double>(rewards::longest_common_subsequence(a, b)) /
         static_cast<double>(a.size() + b.size());
}

double value_similarity(const json& left, const json& right) {
  if (left.is_string() && right.is_string()) return rouge_l(left.get<std::string>(), right.get<std::string>());
  return left == right ? 1.0 : 0.0;
}

double call_similarity(const json& left, const json& right, const SimilarityWeights& weights) {
  if (left.at("name") != right.at("name")) return 0.0;
  const json& a = left.at("arguments");
  const json& b = right.at("arguments");
  double sum = 0.0;
  std::size_t shared = 0;
  for (const auto& argument : a.items()) {
    if (!b.contains(argument.key())) continue;
    ++shared;
    sum += value_similarity(argument.value(), b.at(argument.key()));
  }
  const std::size_t all = a.size() + b.size() - shared;
  const double arguments = all == 0 ? 1.0 : sum / static_cast<double>(all);
  return weights.name + (1.0 - weights.name) * arguments;
}

double calls_similarity(const json& left, const json& right, const SimilarityWeights& weights) {
  const std::size_t n = left.size();
  const std::size_t m = right.size();
  if (n == 0 && m == 0) return 1.0;
  const std::size_t most = std::min(n, m);
  // best[p][j]: largest sum over pairings of exactly p pairs within the calls of `left` seen so far and the first j of
  // `right`; below 0 where there is no such pairing.
  std::vector<std::vector<double>> best(most + 1, std::vector<double>(m + 1, -1.0));
  std::fill(best[0].begin(), best[0].end(), 0.0);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t p = most; p > 0; --p) {
      const std::vector<double>& fewer = best[p - 1];
      for (std::size_t j = m; j > 0; --j) {
        if (fewer[j - 1] < 0.0 || left[i].at("name") != right[j - 1].at("name")) continue;
        best[p][j] = std::max(best[p][j], fewer[j - 1] + call_similarity(left[i], right[j - 1], weights));
      }
      for (std::size_t j = 1; j <= m; ++j) best[p][j] = std::max(best[p][j], best[p][j - 1]);
    }
  }
  double similarity = 0.0;
  for (std::size_t p = 1; p <= most; ++p) {
    similarity = std::max(similarity, best[p][m] / static_cast<double>(n + m - p));
  }
  return similarity;
}

}  // namespace retort::call_reward
