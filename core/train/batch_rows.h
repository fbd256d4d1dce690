// A batch of sequences as tensors, with the positions that a loss looks at. Internal to core/train.
#pragma once

#include <span>
#include <vector>

#include "train/libtorch.h"
#include "train/sequences.h"

namespace retort::train {

/// B sequences padded to T, or one after the other (T their tokens together, B 1); N rows are the positions whose next
/// token counts in the loss, and those that have a tag.
struct BatchRows {
  torch::Tensor ids;      ///< [B,T] int64; packed: [T]
  torch::Tensor index;    ///< [N] int64: b·T + t
  torch::Tensor labels;   ///< [N] int64: the token at t + 1, or the tag of t
  torch::Tensor weights;  ///< [N] f32: the sequences' masks where they are not 0, their tags' weights
  // Of the sequence that a row is of, all [N] int64:
  torch::Tensor sequences;                ///< first_sequence + b
  torch::Tensor positions;                ///< how many of its rows come before
  torch::Tensor lengths;                  ///< how many rows it has
  std::vector<std::int64_t> packed = {};  ///< tokens of each sequence, where they are packed
};

/// `first_sequence` is the number of chosen[0] in its step.
inline BatchRows batch_rows(const std::vector<Sequence>& sequences, std::span<const std::size_t> chosen,
                            std::int64_t first_sequence = 0) {
  std::size_t longest = 1;
  for (const std::size_t i : chosen) longest = std::max(longest, sequences[i].length());
  BatchRows rows;
  rows.ids =
      torch::zeros({static_cast<std::int64_t>(chosen.size()), static_cast<std::int64_t>(longest)}, torch::kInt64);
  auto cell = rows.ids.accessor<std::int64_t, 2>();
  std::vector<std::int64_t> index, labels, numbers, positions, lengths;
  std::vector<float> weights;
  for (std::size_t b = 0; b < chosen.size(); ++b) {
    const Sequence& sequence = sequences[chosen[b]];
    std::vector<text::TokenId> tokens = sequence.prompt;
    tokens.insert(tokens.end(), sequence.response.begin(), sequence.response.end());
    const std::size_t first_row = index.size();
    for (std::size_t t = 0; t < tokens.size(); ++t) {
      cell[static_cast<std::int64_t>(b)][static_cast<std::int64_t>(t)] = tokens[t];
      const float weight = sequence.weight(t);
      if (t == 0 || weight == 0) continue;
      index.push_back(static_cast<std::int64_t>(b * longest + t - 1));
      labels.push_back(tokens[t]);
      weights.push_back(weight);
      numbers.push_back(first_sequence + static_cast<std::int64_t>(b));
      positions.push_back(static_cast<std::int64_t>(index.size() - first_row) - 1);
    }
    for (std::size_t t = 0; t < sequence.tags.size(); ++t) {
      if (sequence.tags[t] < 0) continue;
      index.push_back(static_cast<std::int64_t>(b * longest + t));
      labels.push_back(sequence.tags[t]);
      weights.push_back(sequence.tag_weight);
      numbers.push_back(first_sequence + static_cast<std::int64_t>(b));
      positions.push_back(static_cast<std::int64_t>(index.size() - first_row) - 1);
    }
    lengths.resize(index.size(), static_cast<std::int64_t>(index.size() - first_row));
  }
  rows.index = torch::tensor(index, torch::kInt64);
  rows.labels = torch::tensor(labels, torch::kInt64);
  rows.weights = torch::tensor(weights, torch::kFloat32);
  rows.sequences = torch::tensor(numbers, torch::kInt64);
  rows.positions = torch::tensor(positions, torch::kInt64);
  rows.lengths = torch::tensor(lengths, torch::kInt64);
  return rows;
}

/// The same on `device`; what is there already stays.
inline BatchRows to(BatchRows rows, torch::Device device) {
  for (torch::Tensor* one :
       {&rows.ids, &rows.index, &rows.labels, &rows.weights, &rows.sequences, &rows.positions, &rows.lengths})
    *one = one->to(device);
  return rows;
}

/// The same sequences without padding, for DecoderModule::hidden_packed().
inline BatchRows packed_rows(const std::vector<Sequence>& sequences, std::span<const std::size_t> chosen,
                             std::int64_t first_sequence = 0) {
  BatchRows rows = batch_rows(sequences, chosen, first_sequence);
  const std::int64_t width = rows.ids.size(1);
  std::vector<torch::Tensor> ids;
  std::vector<std::int64_t> gaps;  // padding before each sequence
  std::int64_t padding = 0;
  for (std::size_t b = 0; b < chosen.size(); ++b) {
    const auto length = static_cast<std::int64_t>(sequences[chosen[b]].length());
    gaps.push_back(padding);
    padding += width - length;
    if (length == 0) continue;
    ids.push_back(rows.ids[static_cast<std::int64_t>(b)].narrow(0, 0, length));
    rows.packed.push_back(length);
  }
  rows.ids = torch::cat(ids);
  rows.index = rows.index - torch::tensor(gaps, torch::kInt64).index_select(0, rows.sequences - first_sequence);
  return rows;
}

}  // namespace retort::train
