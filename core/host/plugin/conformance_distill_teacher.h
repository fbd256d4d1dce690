// The seeded teacher of the checks of distillation losses, and the sequences whose rows it speaks about. N rows, V
// vocabulary, k kept teacher entries, D hidden.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <memory>
#include <numeric>
#include <vector>

#include "host/plugin/conformance_tensor.h"

namespace retort::host::distill_case {

inline constexpr std::array<std::int64_t, 3> sequence_rows = {3, 1, 4};
/// With TEACHER_SPANS: the pieces of each sequence (student rows, teacher rows); the teacher has 3 + 2 + 4 rows.
inline const std::vector<std::vector<std::array<std::int64_t, 2>>> pieces = {
    {{2, 1}, {1, 2}}, {{1, 2}}, {{2, 1}, {1, 2}, {1, 1}}};
inline constexpr std::int64_t span_rows = 9, other_vocabulary = 11;
inline constexpr std::int64_t N = 8, V = 9, student_width = 5, teacher_width = 7, total_steps = 10;

using Matrix = std::unique_ptr<OwnedTensor<float>>;

inline Matrix normal_matrix(SeededNumbers& numbers, std::int64_t columns) {
  auto matrix = std::make_unique<OwnedTensor<float>>(N, columns);
  matrix->fill([&] { return static_cast<float>(numbers.normal()); });
  return matrix;
}

struct Teacher {
  OwnedTensor<float> logits{N, V}, top_log_probs, tail{N};
  OwnedTensor<std::int64_t> top_ids;
  std::vector<Matrix> hidden;
  OwnedTensor<float> other_logits{span_rows, other_vocabulary};  ///< of its own tokens, with TEACHER_SPANS
  OwnedTensor<std::int64_t> other_labels{span_rows};

  Teacher(SeededNumbers& numbers, std::int64_t kept, std::size_t layers, std::int64_t width)
      : top_log_probs(N, kept), top_ids(N, kept) {
    logits.fill([&] { return static_cast<float>(numbers.normal()); });
    for (std::int64_t n = 0; n < N; ++n) keep_top(n);
    for (std::size_t i = 0; i < layers; ++i) hidden.push_back(normal_matrix(numbers, width));
    other_logits.fill([&] { return static_cast<float>(numbers.normal()); });
    other_labels.fill([&] { return numbers.below(other_vocabulary); });
  }
  void keep_top(std::int64_t n) {
    std::vector<std::int64_t> order(V);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](auto a, auto b) { return logits.at(n, a) > logits.at(n, b); });
    double sum = 0, mass = 1;
    for (std::int64_t v = 0; v < V; ++v) sum += std::exp(logits.at(n, v));
    for (std::int64_t k = 0; k < top_ids.columns(); ++k) {
      top_ids.at(n, k) = order[static_cast<std::size_t>(k)];
      top_log_probs.at(n, k) = static_cast<float>(logits.at(n, top_ids.at(n, k)) - std::log(sum));
      mass -= std::exp(logits.at(n, top_ids.at(n, k))) / sum;
    }
    tail.at(n) = static_cast<float>(std::max(mass, 0.0));
  }
};

}  // namespace retort::host::distill_case
