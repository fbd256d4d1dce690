#include "train/response_signals.h"

#include <cmath>

#include "train/batch_rows.h"

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
  return torch::linear(hidden, weight_, bias_).squeeze(1);
}

ParameterGroup ValueHead::group() const {
  return {.name = "value_head", .tensors = {{"weight", weight_}, {"bias", bias_}}};
}

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
  const Tensor hidden =
      decoder.hidden(batch.ids).reshape({-1, decoder.config().hidden_size}).index_select(0, batch.index);
  Tensor logits = decoder.logits(hidden);
  if (options.temperature != 1) logits = logits / options.temperature;
  const Tensor all = torch::log_softmax(logits, -1);
  ResponseSignals signals;
  signals.log_probs = spread(all.gather(1, batch.labels.unsqueeze(1)).squeeze(1));
  if (options.entropies) signals.entropies = spread(-(all.exp() * all).sum(-1));
  if (options.value_head != nullptr) signals.values = spread(options.value_head->values(hidden));
  return signals;
}

}  // namespace retort::train
