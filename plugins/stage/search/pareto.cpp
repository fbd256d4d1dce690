#include "pareto.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <numeric>
#include <tuple>

#include "host/base/number_format.h"

namespace retort::search {
namespace {

/// Below 0: a is the better one.
int compared_quality(const Figures& a, const Figures& b) {
  if (a.exact_match != b.exact_match) return a.exact_match > b.exact_match ? -1 : 1;
  if (a.loss != b.loss) return a.loss < b.loss ? -1 : 1;
  return 0;
}

void add_distances(std::span<const Figures> all, double (*value)(const Figures&), std::vector<double>& distances) {
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return value(all[a]) < value(all[b]); });
  const double range = value(all[order.back()]) - value(all[order.front()]);
  distances[order.front()] = distances[order.back()] = std::numeric_limits<double>::infinity();
  for (std::size_t i = 1; range > 0 && i + 1 < order.size(); ++i)
    distances[order[i]] += (value(all[order[i + 1]]) - value(all[order[i - 1]])) / range;
}

double relative_excess(double found, double limit) {
  return limit > 0 ? std::max(0.0, found / limit - 1) : 0.0;
}

std::string formatted(const char* format, double value) {
  char text[64];
  std::snprintf(text, sizeof text, format, value);
  return text;
}

}  // namespace

bool dominates(const Figures& a, const Figures& b) {
  const int quality = compared_quality(a, b);
  if (a.bytes > b.bytes || a.milliseconds > b.milliseconds || quality > 0) return false;
  return a.bytes < b.bytes || a.milliseconds < b.milliseconds || quality < 0;
}

std::vector<std::size_t> pareto_ranks(std::span<const Figures> all) {
  constexpr std::size_t unknown = std::numeric_limits<std::size_t>::max();
  std::vector<std::size_t> ranks(all.size(), unknown);
  std::size_t ranked = 0;
  for (std::size_t rank = 0; ranked < all.size(); ++rank) {
    std::vector<std::size_t> now;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (ranks[i] != unknown) continue;
      bool free = true;
      for (std::size_t j = 0; j < all.size() && free; ++j) free = ranks[j] != unknown || !dominates(all[j], all[i]);
      if (free) now.push_back(i);
    }
    for (const std::size_t i : now) ranks[i] = rank;
    ranked += now.size();
  }
  return ranks;
}

std::vector<double> crowding_distances(std::span<const Figures> all) {
  std::vector<double> distances(all.size(), 0.0);
  if (all.empty()) return distances;
  add_distances(all, [](const Figures& figures) { return static_cast<double>(figures.bytes); }, distances);
  add_distances(all, [](const Figures& figures) { return figures.exact_match; }, distances);
  return distances;
}

std::vector<std::size_t> survival_order(std::span<const Figures> all) {
  const std::vector<std::size_t> ranks = pareto_ranks(all);
  std::vector<double> distances(all.size(), 0.0);
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    std::vector<Figures> level;
    std::vector<std::size_t> members;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (ranks[i] == rank) level.push_back(all[i]), members.push_back(i);
    const std::vector<double> found = crowding_distances(level);
    for (std::size_t i = 0; i < members.size(); ++i) distances[members[i]] = found[i];
  }
  std::vector<std::size_t> order(all.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    if (ranks[a] != ranks[b]) return ranks[a] < ranks[b];
    if (distances[a] != distances[b]) return distances[a] > distances[b];
    if (const int quality = compared_quality(all[a], all[b])) return quality < 0;
    return all[a].bytes < all[b].bytes;
  });
  return order;
}

bool fits(const Figures& figures, const Limits& limits) {
  return (limits.bytes == 0 || figures.bytes <= limits.bytes) &&
         (limits.milliseconds == 0 || figures.milliseconds <= limits.milliseconds) &&
         figures.exact_match >= limits.exact_match;
}

double excess(const Figures& figures, const Limits& limits) {
  const double short_of = limits.exact_match > 0 ? std::max(0.0, 1 - figures.exact_match / limits.exact_match) : 0.0;
  return relative_excess(static_cast<double>(figures.bytes), static_cast<double>(limits.bytes)) +
         relative_excess(figures.milliseconds, limits.milliseconds) + short_of;
}

std::string misses_by(const Figures& figures, const Limits& limits) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (limits.bytes > 0 && figures.bytes > limits.bytes)
    add(host::format_bytes(figures.bytes - limits.bytes) + " (" +
        host::format_percent(relative_excess(static_cast<double>(figures.bytes), static_cast<double>(limits.bytes))) +
        ") too large");
  if (limits.milliseconds > 0 && figures.milliseconds > limits.milliseconds)
    add(host::format_ms(figures.milliseconds - limits.milliseconds) + " (" +
        host::format_percent(relative_excess(figures.milliseconds, limits.milliseconds)) + ") too slow");
  if (figures.exact_match < limits.exact_match)
    add(formatted("%.1f points of exact match short", 100 * (limits.exact_match - figures.exact_match)));
  return text;
}

std::optional<std::size_t> best_fitting(std::span<const Figures> all, const Limits& limits, Preference preference) {
  const auto cost = [&](const Figures& figures) {
    if (preference == Preference::bytes) return static_cast<double>(figures.bytes);
    return preference == Preference::milliseconds ? figures.milliseconds : -figures.exact_match;
  };
  std::optional<std::size_t> best;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!fits(all[i], limits)) continue;
    const bool better = !best || cost(all[i]) < cost(all[*best]) ||
                        (cost(all[i]) == cost(all[*best]) && compared_quality(all[i], all[*best]) < 0);
    if (better) best = i;
  }
  return best;
}

std::size_t nearest(std::span<const Figures> all, const Limits& limits) {
  std::size_t found = 0;
  for (std::size_t i = 1; i < all.size(); ++i)
    if (excess(all[i], limits) < excess(all[found], limits)) found = i;
  return found;
}

}  // namespace retort::search
