#include "train/row_chunks.h"

#include <algorithm>

#include "train/plugin_node.h"

namespace retort::train {

using torch::Tensor;

std::vector<std::int64_t> chunk_borders(std::int64_t rows, std::int64_t rows_at_once, const Tensor& sequences) {
  std::vector<std::int64_t> borders{0};
  if (!sequences.defined()) {
    for (std::int64_t end = rows_at_once; end < rows; end += rows_at_once) borders.push_back(end);
  } else {
    const Tensor on_host = sequences.cpu();
    const auto* of_row = on_host.const_data_ptr<std::int64_t>();
    std::int64_t last = 0;  // where a sequence begins
    for (std::int64_t row = 1; row <= rows; ++row) {
      if (row < rows && of_row[row] == of_row[row - 1]) continue;
      if (row - borders.back() > rows_at_once && last > borders.back()) borders.push_back(last);
      last = row;
    }
  }
  if (rows > 0) borders.push_back(rows);
  return borders;
}

std::vector<std::int64_t> logit_chunks(std::int64_t rows, std::int64_t vocabulary, const Tensor& sequences) {
  return chunk_borders(rows, std::max<std::int64_t>(1, most_logits / vocabulary), sequences);
}

std::vector<std::size_t> sequence_chunks(std::span<const SequenceLogits> readers) {
  const std::size_t count = readers.front().begins.size() - 1;
  const std::span<const std::int64_t> rows = readers.back().begins;
  std::vector<std::size_t> borders{0};
  for (std::size_t sequence = 1; sequence < count; ++sequence) {
    const bool too_many = std::ranges::any_of(readers, [&](const SequenceLogits& reader) {
      return (reader.begins[sequence + 1] - reader.begins[borders.back()]) * reader.vocabulary > most_logits;
    });
    if (too_many && rows[sequence] > rows[borders.back()] && rows[count] > rows[sequence]) borders.push_back(sequence);
  }
  borders.push_back(count);
  return borders;
}

Tensor summed_by_chunks(const std::vector<Tensor>& by_row, const std::vector<Tensor>& shared,
                        const std::vector<std::int64_t>& borders, const ChunkLoss& loss) {
  if (borders.size() == 2) return loss(0, borders[1], by_row);
  std::vector<Tensor> learnt, sums;
  for (const Tensor& one : shared)
    if (one.requires_grad()) learnt.push_back(one);
  sums.resize(learnt.size());
  std::vector<std::vector<Tensor>> of_rows(by_row.size());
  double value = 0;
  for (std::size_t chunk = 0; chunk + 1 < borders.size(); ++chunk) {
    const std::int64_t begin = borders[chunk], count = borders[chunk + 1] - begin;
    std::vector<Tensor> rows;
    for (const Tensor& all : by_row) rows.push_back(all.detach().narrow(0, begin, count).requires_grad_(true));
    const Tensor part = loss(begin, count, rows);
    std::vector<Tensor> found(rows.size() + learnt.size());
    if (part.defined()) {
      value += part.item<double>();
      std::vector<Tensor> inputs = rows;
      inputs.insert(inputs.end(), learnt.begin(), learnt.end());
      found = torch::autograd::grad({part}, inputs, {}, std::nullopt, false, true);
    }
    for (std::size_t i = 0; i < rows.size(); ++i)
      of_rows[i].push_back(found[i].defined() ? found[i] : torch::zeros_like(rows[i]));
    for (std::size_t i = 0; i < learnt.size(); ++i) {
      const Tensor& gradient = found[rows.size() + i];
      if (gradient.defined()) sums[i] = sums[i].defined() ? sums[i].add_(gradient) : gradient.clone();
    }
  }
  std::vector<Tensor> inputs, gradients;
  for (std::size_t i = 0; i < by_row.size(); ++i) {
    inputs.push_back(by_row[i]);
    gradients.push_back(torch::cat(of_rows[i]));
  }
  for (std::size_t i = 0; i < learnt.size(); ++i) {
    if (!sums[i].defined()) continue;
    inputs.push_back(learnt[i]);
    gradients.push_back(sums[i]);
  }
  return known_gradient(value, inputs, gradients);
}

}  // namespace retort::train
