#include "train/response_signals.h"

#include <cmath>

#include "train/batch_rows.h"
#include "train/recomputation.h"
#include "train/row_chunks.h"
#include "train/trainer.h"

namespace retort::train {

using torch::Tensor;

ValueHead::ValueHead(std::int64_t hidden_size, std::uint64_t seed, torch::Device device) {
  SeededSequence random(seed, 0x76616C7565ULL);
  const auto uniform = [&] { return (static_cast<double>(random.next() >> 11) + 0.5) / 9007199254740992.0; };
  std::vector<float> values;  // Box and Muller
  for (std::int64_t i = 0; i < hidden_size; ++i)
    values.push_back(static_cast<float>(std::sqrt(-2 * std::log(uniform())) * std::cos(2 * M_PI * uniform()) /
                                        static_cast<double>(hidden_size + 1)));
  weight_ = torch::tensor(values, torch::kFloat32).view({1, hidden_size}).to(device).requires_grad_();
  bias_ = torch::zeros({1}, torch::device(device)).requires_grad_();
}

Tensor ValueHead::values(const Tensor& hidden) const {
  return torch::linear(hidden, weight_, bias_).squeeze(1).to(torch::kFloat32);
}

ParameterGroup ValueHead::group() const {
  return {.name = "value_head", .tensors = {{"weight", weight_}, {"bias", bias_}}};
}

namespace {

/// What the distributions after the states hidden [N,D] say of labels [N] → [N,1], or [N,2] with their entropies.
Tensor of_logits(DecoderModule& decoder, const Tensor& hidden, const Tensor& labels, const SignalOptions& options) {
  const auto pass = [&decoder, temperature = options.temperature, entropies = options.entropies](const Tensor& states,
                                                                                                 const Tensor& next) {
    Tensor logits = decoder.logits(states);
    if (temperature != 1) logits = logits / temperature;
    const Tensor all = torch::log_softmax(logits, -1), chosen = all.gather(1, next.unsqueeze(1));
    return entropies ? torch::cat({chosen, -(all.exp() * all).sum(-1, true)}, 1) : chosen;
  };
  const std::vector<std::int64_t> borders = logit_chunks(hidden.size(0), decoder.config().vocabulary_size);
  if (borders.size() <= 2) return pass(hidden, labels);
  const Tensor& head =
      decoder.weight(decoder.config().tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight");
  std::vector<Tensor> parts;
  for (std::size_t chunk = 0; chunk + 1 < borders.size(); ++chunk) {
    const std::int64_t begin = borders[chunk], count = borders[chunk + 1] - begin;
    const auto once = [pass, next = labels.narrow(0, begin, count)](const Tensor& states) {
      return pass(states, next);
    };
    parts.push_back(recomputed(hidden.narrow(0, begin, count), {head}, once, once));
  }
  return torch::cat(parts);
}

}  // namespace

ResponseSignals response_signals(DecoderModule& decoder, const std::vector<Sequence>& sequences,
                                 std::span<const std::size_t> rows, std::int64_t positions,
                                 const SignalOptions& options) {
  const BatchRows batch = to(batch_rows(sequences, rows), decoder.device());
  std::vector<std::int64_t> cells;
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t t = 0; t < sequences[rows[i]].response.size(); ++t)
      if (sequences[rows[i]].weight(sequences[rows[i]].prompt.size() + t) > 0)
        cells.push_back(static_cast<std::int64_t>(i) * positions + static_cast<std::int64_t>(t));
  const Tensor places = torch::tensor(cells, torch::kInt64).to(decoder.device());
  const auto count = static_cast<std::int64_t>(rows.size());
  const auto spread = [&](const Tensor& chosen) {
    return torch::zeros({count * positions}, torch::device(decoder.device()))
        .index_put({places}, chosen)
        .view({count, positions});
  };
  const MixedPrecision mixed(options.precision, decoder.device());
  const Tensor hidden =
      decoder.hidden(batch.ids).reshape({-1, decoder.config().hidden_size}).index_select(0, batch.index);
  const Tensor found = of_logits(decoder, hidden, batch.labels, options);
  ResponseSignals signals;
  signals.log_probs = spread(found.select(1, 0));
  if (options.entropies) signals.entropies = spread(found.select(1, 1));
  if (options.value_head != nullptr) signals.values = spread(options.value_head->values(hidden));
  return signals;
}

}  // namespace retort::train
