#include "train/calibration_batches.h"

#include <algorithm>

#include "train/reference_sampling.h"

namespace retort::train {
namespace {

constexpr std::size_t batch_positions = 4096;

}  // namespace

std::vector<CalibrationBatch> calibration_batches(const std::vector<Sequence>& sequences, std::int64_t rows) {
  std::vector<CalibrationBatch> batches;
  std::int64_t counted = 0;
  for (std::size_t begin = 0; begin < sequences.size() && counted < rows;) {
    std::vector<std::vector<text::TokenId>> texts;
    std::vector<std::int64_t> lengths;
    std::size_t longest = 1;
    for (; begin < sequences.size(); ++begin) {
      const Sequence& sequence = sequences[begin];
      longest = std::max(longest, sequence.length());
      if (!texts.empty() && longest * (texts.size() + 1) > batch_positions) break;
      texts.push_back(sequence.prompt);
      texts.back().insert(texts.back().end(), sequence.response.begin(), sequence.response.end());
      lengths.push_back(static_cast<std::int64_t>(texts.back().size()));
    }
    CalibrationBatch batch{pad(texts), torch::tensor(lengths, torch::kInt64), {}, {}};
    std::vector<std::int64_t> index;
    for (std::size_t b = 0; b < texts.size(); ++b)
      for (std::size_t t = 0; t < texts[b].size() && counted < rows; ++t, ++counted)
        index.push_back(static_cast<std::int64_t>(b) * batch.ids.size(1) + static_cast<std::int64_t>(t));
    batch.index = torch::tensor(index, torch::kInt64);
    batches.push_back(std::move(batch));
  }
  return batches;
}

}  // namespace retort::train
