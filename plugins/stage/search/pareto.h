// What candidates came to against each other and against limits: Pareto dominance, the order in which candidates
// survive, the best that fits, and by how much one does not. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace retort::search {

struct Figures {
  std::int64_t bytes = 0;   ///< of the weights as stored
  double milliseconds = 0;  ///< median of one call
  double exact_match = 0;   ///< share in [0,1]
  double loss = 0;          ///< nats a token of the right answers; counts between equal exact matches
};

/// No worse in bytes, milliseconds and exact match (of equal exact matches, loss), and better in one of them.
bool dominates(const Figures& a, const Figures& b);

/// Rank of each: 0 for those that nothing dominates, n for those that only ranks below n dominate.
std::vector<std::size_t> pareto_ranks(std::span<const Figures> all);

/// Crowding distance of NSGA-II (Deb et al. 2002, doi 10.1109/4235.996017, section III.B) over bytes and exact match:
/// how far the neighbours are; infinite at the ends.
std::vector<double> crowding_distances(std::span<const Figures> all);

/// All of them, the first to survive first: by rank, then the least crowded of its rank, then the better (exact match,
/// loss, bytes).
std::vector<std::size_t> survival_order(std::span<const Figures> all);

/// 0 = no limit.
struct Limits {
  std::int64_t bytes = 0;
  double milliseconds = 0;
  double exact_match = 0;  ///< share of the test rows, not of the teacher's
};

bool fits(const Figures& figures, const Limits& limits);
/// By how much the limits are missed altogether: the sum of relative excesses; 0 where all are kept.
double excess(const Figures& figures, const Limits& limits);
/// "12.0 kB (3.1%) too large, 0.4 points of exact match short"; "" where all are kept.
std::string misses_by(const Figures& figures, const Limits& limits);

enum class Preference { bytes, milliseconds, exact_match };

/// Of those that fit, the first by `preference`; of equals the better (exact match, loss), then the
/// first, so that noise of milliseconds decides nothing else. Nothing where none fits.
std::optional<std::size_t> best_fitting(std::span<const Figures> all, const Limits& limits, Preference preference);
/// The least excess; of equals the first. Expects at least one.
std::size_t nearest(std::span<const Figures> all, const Limits& limits);

}  // namespace retort::search
