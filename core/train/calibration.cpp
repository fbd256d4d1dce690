#include "train/calibration.h"

#include <retort/abi/pruner.h>

#include <algorithm>
#include <functional>

#include "train/reference_sampling.h"

namespace retort::train {
namespace {

using torch::Tensor;
constexpr std::size_t calibration_batch = 64;

/// Runs the model over the sequences; the observer sees each batch with `lengths` [B] set before.
void run_over(DecoderModule& decoder, const std::vector<Sequence>& sequences, Tensor& lengths,
              const Observer& observer) {
  torch::NoGradGuard no_grad;
  decoder.observer = observer;
  for (std::size_t begin = 0; begin < sequences.size(); begin += calibration_batch) {
    std::vector<std::vector<text::TokenId>> rows;
    std::vector<std::int64_t> sizes;
    for (std::size_t i = begin; i < std::min(sequences.size(), begin + calibration_batch); ++i) {
      rows.push_back(sequences[i].prompt);
      rows.back().insert(rows.back().end(), sequences[i].response.begin(), sequences[i].response.end());
      sizes.push_back(static_cast<std::int64_t>(rows.back().size()));
    }
    lengths = torch::tensor(sizes, torch::kInt64);
    decoder.hidden(pad(rows));
  }
  decoder.observer = nullptr;
}

/// [B,T] 1 where a position holds a token.
Tensor valid_positions(const Tensor& lengths, std::int64_t time) {
  return (torch::arange(time).unsqueeze(0) < lengths.unsqueeze(1)).to(torch::kFloat32);
}

void add_to(Tensor& sum, const Tensor& value) {
  sum = sum.defined() ? sum + value : value;
}

}  // namespace

Tensor squared_mean_absolute(const Tensor& activation, const Tensor& lengths) {
  const Tensor mask = valid_positions(lengths, activation.size(1)).unsqueeze(-1);
  const Tensor mean = (activation.abs() * mask).sum(1) / lengths.unsqueeze(1);
  return mean.square().sum(0);
}

PruneSignalTensors prune_signals(DecoderModule& decoder, const std::vector<Sequence>& sequences,
                                 std::uint64_t signals) {
  const model::ModelConfig& config = decoder.config();
  const auto layers = static_cast<std::size_t>(config.layers);
  Tensor lengths, hidden, cosine = torch::zeros({config.layers}),
                          similarity = torch::zeros({config.layers, config.layers}, torch::kFloat64), input;
  const bool wants_similarity = (signals & RETORT_SIGNAL_BLOCK_SIMILARITY) != 0;
  std::vector<Tensor> inputs(layers);  // of every layer, where their similarity is wanted
  std::vector<Tensor> feed_forward(layers), heads(layers);
  double positions = 0;
  run_over(decoder, sequences, lengths, [&](Site site, std::int64_t layer, const Tensor& a) {
    const auto l = static_cast<std::size_t>(std::max<std::int64_t>(layer, 0));
    if (site == Site::attention_input || site == Site::feed_forward_input || site == Site::head_input)
      add_to(hidden, squared_mean_absolute(a, lengths));
    if (site == Site::feed_forward_hidden) add_to(feed_forward[l], squared_mean_absolute(a, lengths));
    if (site == Site::attention_output)
      add_to(heads[l],
             squared_mean_absolute(a.view({a.size(0), a.size(1), config.heads, config.head_dim}).norm(2, -1), lengths));
    if (site == Site::layer_input) input = a;
    if (site == Site::layer_input && wants_similarity) inputs[l] = a;
    if (site == Site::layer_output) {
      const Tensor mask = valid_positions(lengths, a.size(1));
      cosine[layer] += (torch::cosine_similarity(input, a, -1) * mask).sum();
      if (layer == 0) positions += mask.sum().item<double>();
      for (std::size_t i = 0; wants_similarity && i <= l; ++i)
        similarity[static_cast<std::int64_t>(i)][layer] +=
            (torch::cosine_similarity(inputs[i], a, -1) * mask).sum(torch::kFloat64);
    }
  });

  PruneSignalTensors out;
  if ((signals & RETORT_SIGNAL_HIDDEN_NORMS) != 0) out.hidden_norms = hidden.sqrt();
  if ((signals & RETORT_SIGNAL_FEED_FORWARD_NORMS) != 0) out.feed_forward_norms = torch::stack(feed_forward).sqrt();
  if ((signals & RETORT_SIGNAL_HEAD_NORMS) != 0) out.head_norms = torch::stack(heads).sqrt();
  if ((signals & RETORT_SIGNAL_BLOCK_INFLUENCE) != 0) out.block_influence = 1 - cosine / positions;
  if (wants_similarity) out.block_similarity = (similarity / positions).to(torch::kFloat32);
  if ((signals & RETORT_SIGNAL_TOKEN_COUNTS) != 0) {
    out.token_counts = torch::zeros({config.vocabulary_size});
    for (const Sequence& sequence : sequences)
      for (const auto& part : {sequence.prompt, sequence.response})
        for (const text::TokenId token : part) out.token_counts[token] += 1;
  }
  return out;
}

}  // namespace retort::train
