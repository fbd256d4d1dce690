#include "train/row_chunks.h"

#include <algorithm>

#include "train/plugin_node.h"

namespace retort::train {

using torch::Tensor;

namespace {

/// Where the number changes in `sequences` [N].
SequenceBegins begins_of(const Tensor& sequences) {
  const Tensor on_host = sequences.cpu();
  const auto* of_row = on_host.const_data_ptr<std::int64_t>();
  SequenceBegins begins{0};
  for (std::int64_t row = 1; row < on_host.size(0); ++row)
    if (of_row[row] != of_row[row - 1]) begins.push_back(row);
  if (on_host.size(0) > 0) begins.push_back(on_host.size(0));
  return begins;
}

}  // namespace

std::vector<std::int64_t> chunk_borders(const std::vector<SequenceRows>& readers) {
  const std::span<const std::int64_t> rows = readers.front().begins;
  std::vector<std::int64_t> borders{0};
  std::size_t first = 0;  // sequence of the chunk
  for (std::size_t sequence = 1; sequence + 1 < rows.size() && rows[sequence] < rows.back(); ++sequence) {
    const bool too_many = std::ranges::any_of(readers, [&](const SequenceRows& reader) {
      return reader.begins[sequence + 1] - reader.begins[first] > reader.rows_at_once;
    });
    if (!too_many || rows[sequence] == rows[first]) continue;
    borders.push_back(rows[sequence]);
    first = sequence;
  }
  if (rows.back() > 0) borders.push_back(rows.back());
  return borders;
}

std::vector<std::int64_t> chunk_borders(std::int64_t rows, std::int64_t rows_at_once, const Tensor& sequences) {
  if (sequences.defined()) {
    const SequenceBegins begins = begins_of(sequences);
    return chunk_borders({{begins, rows_at_once}});
  }
  std::vector<std::int64_t> borders{0};
  for (std::int64_t end = rows_at_once; end < rows; end += rows_at_once) borders.push_back(end);
  if (rows > 0) borders.push_back(rows);
  return borders;
}

std::int64_t logit_rows(std::int64_t vocabulary) {
  return std::max<std::int64_t>(1, most_logits / vocabulary);
}

std::vector<std::int64_t> logit_chunks(std::int64_t rows, std::int64_t vocabulary, const Tensor& sequences) {
  return chunk_borders(rows, logit_rows(vocabulary), sequences);
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
