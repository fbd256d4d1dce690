#include "host/base/diagnostic.h"

#include <algorithm>
#include <cctype>
#include <limits>

namespace retort::host {
namespace {

/// Optimal string alignment: insertions, deletions, substitutions and swaps of neighbours cost 1; case costs nothing.
std::size_t edit_distance(const std::string& a, const std::string& b) {
  const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i)
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      cost[i][j] = std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (same ? 0 : 1)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) && lower(a[i - 2]) == lower(b[j - 1]))
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
    }
  return cost[a.size()][b.size()];
}

}  // namespace

std::string to_string(const Diagnostic& diagnostic) {
  std::string text = (diagnostic.pointer.empty() ? "/" : diagnostic.pointer) + ": " + diagnostic.message;
  if (!diagnostic.suggestion.empty()) text += " (" + diagnostic.suggestion + ")";
  return text;
}

std::string nearest_name(const std::string& name, const std::vector<std::string>& candidates) {
  constexpr std::size_t longest = 256;  // bounds the quadratic work on hostile names
  if (name.empty() || name.size() > longest) return "";
  std::string nearest;
  std::size_t least = std::numeric_limits<std::size_t>::max();
  for (const std::string& candidate : candidates) {
    if (candidate.size() > longest) continue;
    std::size_t distance = edit_distance(name, candidate);
    // "forward_kl" may mean "distill.forward_kl".
    if (const auto dot = candidate.rfind('.'); dot != std::string::npos && name.find('.') == std::string::npos)
      distance = std::min(distance, edit_distance(name, candidate.substr(dot + 1)));
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return least <= std::max<std::size_t>(1, name.size() / 3) ? nearest : "";
}

}  // namespace retort::host
