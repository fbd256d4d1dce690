#include "train/calibration.h"

#include <retort/abi/pruner.h>

#include <limits>
#include <span>

#include "train/site_statistics.h"

namespace retort::train {
namespace {

using torch::Tensor;
constexpr std::int64_t similarity_bytes = std::int64_t{1} << 28;  // of layer inputs that block similarity keeps

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

namespace {

/// Sums over calibration batches, of which a part goes through all layers at a time.
class SignalSums {
 public:
  SignalSums(DecoderModule& decoder, std::uint64_t signals)
      : decoder_(decoder),
        wants_similarity_((signals & RETORT_SIGNAL_BLOCK_SIMILARITY) != 0),
        feed_forward_(static_cast<std::size_t>(decoder.config().layers)),
        heads_(feed_forward_.size()) {}

  void add(std::span<CalibrationBatch> batches) {
    for (CalibrationBatch& batch : batches) {
      batch.state = decoder_.embed(batch.ids);
      positions_ += batch.lengths.sum().item<double>();
    }
    std::vector<std::vector<Tensor>> inputs;  // by layer, of every batch, where their similarity is wanted
    for (std::int64_t layer = 0; layer < decoder_.config().layers; ++layer) {
      if (wants_similarity_) inputs.emplace_back();
      for (CalibrationBatch& batch : batches) {
        if (wants_similarity_) inputs.back().push_back(batch.state);
        batch.state = through(layer, batch);
      }
      for (std::size_t i = 0; i < inputs.size(); ++i)
        for (std::size_t b = 0; b < batches.size(); ++b)
          similarity_[static_cast<std::int64_t>(i)][layer] +=
              cosines(inputs[i][b], batches[b].state, batches[b].lengths);
    }
    for (CalibrationBatch& batch : batches) {
      add_to(hidden_, squared_mean_absolute(decoder_.final_norm(batch.state), batch.lengths));
      batch.state = Tensor();
    }
  }

  PruneSignalTensors means(std::uint64_t signals) const {
    PruneSignalTensors out;
    if ((signals & RETORT_SIGNAL_HIDDEN_NORMS) != 0) out.hidden_norms = hidden_.sqrt();
    if ((signals & RETORT_SIGNAL_FEED_FORWARD_NORMS) != 0) out.feed_forward_norms = torch::stack(feed_forward_).sqrt();
    if ((signals & RETORT_SIGNAL_HEAD_NORMS) != 0) out.head_norms = torch::stack(heads_).sqrt();
    if ((signals & RETORT_SIGNAL_BLOCK_INFLUENCE) != 0)
      out.block_influence = (1 - cosine_ / positions_).to(torch::kFloat32);
    if (wants_similarity_) out.block_similarity = (similarity_ / positions_).to(torch::kFloat32);
    return out;
  }

 private:
  /// Σ over the positions that hold a token.
  static Tensor cosines(const Tensor& a, const Tensor& b, const Tensor& lengths) {
    return (torch::cosine_similarity(a, b, -1) * valid_positions(lengths, a.size(1))).sum(torch::kFloat64);
  }

  /// The layer's output for the batch; what lies on the way is added to the sums.
  Tensor through(std::int64_t layer, const CalibrationBatch& batch) {
    const model::ModelConfig& config = decoder_.config();
    const auto l = static_cast<std::size_t>(layer);
    decoder_.observer = [&](Site site, std::int64_t, const Tensor& a) {
      if (site == Site::attention_input || site == Site::feed_forward_input)
        add_to(hidden_, squared_mean_absolute(a, batch.lengths));
      if (site == Site::feed_forward_hidden) add_to(feed_forward_[l], squared_mean_absolute(a, batch.lengths));
      if (site == Site::attention_output)
        add_to(heads_[l],
               squared_mean_absolute(a.view({a.size(0), a.size(1), config.heads, config.head_dim}).norm(2, -1),
                                     batch.lengths));
    };
    Tensor out = decoder_.activation(batch.state, layer, Site::layer_output, decoder_.read_both_ways(batch.ids));
    decoder_.observer = nullptr;
    cosine_[layer] += cosines(batch.state, out, batch.lengths);
    return out;
  }

  DecoderModule& decoder_;
  bool wants_similarity_;
  double positions_ = 0;
  Tensor hidden_;                     ///< [D]
  std::vector<Tensor> feed_forward_;  ///< [L] of [F]
  std::vector<Tensor> heads_;         ///< [L] of [H]
  Tensor cosine_ = torch::zeros({static_cast<std::int64_t>(feed_forward_.size())}, torch::kFloat64);
  Tensor similarity_ = torch::zeros({cosine_.size(0), cosine_.size(0)}, torch::kFloat64);
};

/// How many batches go through the layers together: all, but where the inputs of all layers are kept.
std::size_t together(const model::ModelConfig& config, std::span<const CalibrationBatch> batches, bool similarity) {
  std::size_t count = 0;
  for (std::int64_t bytes = 0; count < batches.size(); ++count) {
    bytes += batches[count].ids.numel() * config.layers * config.hidden_size * static_cast<std::int64_t>(sizeof(float));
    if (similarity && count > 0 && bytes > similarity_bytes) break;
  }
  return count;
}

Tensor token_counts(const std::vector<Sequence>& sequences, std::int64_t vocabulary) {
  Tensor counted = torch::zeros({vocabulary});
  auto counts = counted.accessor<float, 1>();
  for (const Sequence& sequence : sequences)
    for (const auto& part : {sequence.prompt, sequence.response})
      for (const text::TokenId token : part) counts[token] += 1;
  return counted;
}

}  // namespace

PruneSignalTensors prune_signals(DecoderModule& decoder, const std::vector<Sequence>& sequences,
                                 std::uint64_t signals) {
  torch::NoGradGuard no_grad;
  SignalSums sums(decoder, signals);
  constexpr std::uint64_t of_activations = RETORT_SIGNAL_HIDDEN_NORMS | RETORT_SIGNAL_FEED_FORWARD_NORMS |
                                           RETORT_SIGNAL_HEAD_NORMS | RETORT_SIGNAL_BLOCK_INFLUENCE |
                                           RETORT_SIGNAL_BLOCK_SIMILARITY;
  if ((signals & of_activations) != 0) {
    std::vector<CalibrationBatch> batches = calibration_batches(sequences, std::numeric_limits<std::int64_t>::max());
    for (std::span<CalibrationBatch> rest = batches; !rest.empty();) {
      const std::size_t count = together(decoder.config(), rest, (signals & RETORT_SIGNAL_BLOCK_SIMILARITY) != 0);
      sums.add(rest.first(count));
      rest = rest.subspan(count);
    }
  }
  PruneSignalTensors out = sums.means(signals);
  if ((signals & RETORT_SIGNAL_TOKEN_COUNTS) != 0)
    out.token_counts = token_counts(sequences, decoder.config().vocabulary_size);
  return out;
}

Tensor FeedForwardHessians::of(std::int64_t layer) {
  torch::NoGradGuard no_grad;
  if (batches_.empty() || layer < at_) {
    batches_ = calibration_batches(sequences_, std::numeric_limits<std::int64_t>::max());
    for (CalibrationBatch& batch : batches_) batch.state = decoder_.embed(batch.ids);
    at_ = 0;
  }
  for (; at_ < layer; ++at_)
    for (CalibrationBatch& batch : batches_)
      batch.state = decoder_.activation(batch.state, at_, Site::layer_output, decoder_.read_both_ways(batch.ids));
  SiteStatistics seen(decoder_.config().intermediate_size, RETORT_SIGNAL_INPUT_HESSIAN);
  for (const CalibrationBatch& batch : batches_)
    seen.add(decoder_.activation(batch.state, layer, Site::feed_forward_hidden, decoder_.read_both_ways(batch.ids))
                 .reshape({-1, decoder_.config().intermediate_size})
                 .index_select(0, batch.index));
  return seen.hessian();
}

}  // namespace retort::train
