// What ROUGE-L (Lin 2004, section 3.1) is made of.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace retort::rewards {

/// Length of the longest sequence of words that both have in this order. O(left · right) time, O(right) memory.
inline std::size_t longest_common_subsequence(const std::vector<std::string>& left,
                                              const std::vector<std::string>& right) {
  std::vector<std::size_t> row(right.size() + 1, 0);
  for (const std::string& word : left) {
    std::size_t diagonal = 0;
    for (std::size_t j = 0; j < right.size(); ++j) {
      const std::size_t above = row[j + 1];
      row[j + 1] = word == right[j] ? diagonal + 1 : std::max(above, row[j]);
      diagonal = above;
    }
  }
  return row.back();
}

}  // namespace retort::rewards
