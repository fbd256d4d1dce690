#include "train/token_loss.h"

#include <algorithm>

#include "train/batch_rows.h"

namespace retort::train {
namespace {

using torch::Tensor;
constexpr std::int64_t logits_at_once = 1 << 24;  // elements: 64 MiB of f32

/// Where no sequence has a response, prompts count instead.
std::vector<Sequence> with_labels(std::vector<Sequence> sequences) {
  const auto labelled = [](const Sequence& sequence) { return !sequence.response.empty(); };
  if (std::any_of(sequences.begin(), sequences.end(), labelled)) return sequences;
  for (Sequence& sequence : sequences) sequence.mask = token_mask(sequence.prompt.size(), 0, 1);
  return sequences;
}

/// Σ nll over the rows of `chosen`.
Tensor summed_loss(DecoderModule& decoder, const BatchRows& rows) {
  const Tensor hidden =
      decoder.hidden(rows.ids).reshape({-1, decoder.config().hidden_size}).index_select(0, rows.index);
  const std::int64_t step = std::max<std::int64_t>(1, logits_at_once / decoder.config().vocabulary_size);
  Tensor sum = torch::zeros({}, torch::kFloat64);
  for (std::int64_t begin = 0; begin < hidden.size(0); begin += step) {
    const std::int64_t count = std::min(step, hidden.size(0) - begin);
    sum = sum + torch::cross_entropy_loss(decoder.logits(hidden.narrow(0, begin, count)),
                                          rows.labels.narrow(0, begin, count), {}, at::Reduction::Sum)
                    .to(torch::kFloat64);
  }
  return sum;
}

}  // namespace

double mean_token_loss(DecoderModule& decoder, const std::vector<Sequence>& sequences) {
  torch::NoGradGuard no_grad;
  constexpr std::size_t together = 16;
  const std::vector<Sequence> labelled = with_labels(sequences);
  double sum = 0, count = 0;
  for (std::size_t begin = 0; begin < sequences.size(); begin += together) {
    std::vector<std::size_t> chosen;
    for (std::size_t i = begin; i < std::min(sequences.size(), begin + together); ++i) chosen.push_back(i);
    const BatchRows rows = batch_rows(labelled, chosen);
    if (rows.labels.size(0) == 0) continue;
    sum += summed_loss(decoder, rows).item<double>();
    count += static_cast<double>(rows.labels.size(0));
  }
  return count > 0 ? sum / count : 0;
}

LossGradients loss_gradients(DecoderModule& decoder, const std::vector<Sequence>& sequences, bool squares) {
  const std::vector<Sequence> labelled = with_labels(sequences);
  LossGradients out;
  for (const auto& [name, weight] : decoder.weights()) {
    out.mean[name] = torch::zeros_like(weight, weight.options().requires_grad(false));
    if (squares) out.mean_square[name] = out.mean[name].clone();
  }
  double tokens = 0;
  std::int64_t samples = 0;
  for (std::size_t i = 0; i < sequences.size(); ++i) {
    const BatchRows rows = batch_rows(labelled, std::vector<std::size_t>{i});
    const auto count = static_cast<double>(rows.labels.size(0));
    if (count == 0) continue;
    summed_loss(decoder, rows).backward();
    for (const auto& [name, weight] : decoder.weights()) {
      Tensor parameter = weight;
      const Tensor gradient = parameter.grad();
      if (!gradient.defined()) continue;
      out.mean[name] += gradient;
      if (squares) out.mean_square[name] += (gradient / count).square();
      parameter.mutable_grad() = Tensor();
    }
    tokens += count;
    ++samples;
  }
  for (auto& [name, mean] : out.mean) mean /= std::max(1.0, tokens);
  for (auto& [name, square] : out.mean_square) square /= static_cast<double>(std::max<std::int64_t>(1, samples));
  return out;
}

}  // namespace retort::train
