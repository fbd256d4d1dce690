// How alike two lists of calls are, from 0 to 1: the similarity part of STAR's reward (arXiv 2602.03022, Sim-RL).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace retort::call_reward {

/// ROUGE-L F1 (Lin 2004, beta 1) over the words of two texts; words are separated by white space, case counts. Two
/// texts without words are alike.
double rouge_l(const std::string& left, const std::string& right);

/// ROUGE-L for two strings, otherwise 1 for equal values and 0 for others.
double value_similarity(const nlohmann::json& left, const nlohmann::json& right);

struct SimilarityWeights {
  double name = 0.0;  ///< share of a call's similarity that a right tool name alone earns; 0 is STAR's
};

/// Calls of different names: 0. Else name + (1 − name)·Σ_k s(k) / |A ∪ B| over argument names k of both calls, where
/// s is value_similarity for an argument that both have, 0 for another. Two calls without arguments: 1.
double call_similarity(const nlohmann::json& left, const nlohmann::json& right, const SimilarityWeights& weights);

/// max over order-keeping pairings P of calls with equal names of Σ_P s / (|left| + |right| − |P|): Jaccard's index
/// with soft matches. Order counts because calls are carried out in order. Two empty lists: 1. `left`, `right`:
/// [{"name", "arguments"}].
double calls_similarity(const nlohmann::json& left, const nlohmann::json& right, const SimilarityWeights& weights);

}  // namespace retort::call_reward
