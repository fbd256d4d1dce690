#include "train/preference_loss.h"

#include <algorithm>
#include <numeric>

#include "train/response_signals.h"
#include "train/rl_loss.h"

namespace retort::train {

using torch::Tensor;

Tensor sequence_log_probs(DecoderModule& decoder, const std::vector<Sequence>& sequences,
                          std::span<const std::size_t> rows, const std::string& precision) {
  std::size_t longest = 1;
  for (const std::size_t row : rows) longest = std::max(longest, sequences[row].response.size());
  return response_signals(decoder, sequences, rows, static_cast<std::int64_t>(longest), {.precision = precision})
      .log_probs.sum(1);
}

std::vector<float> all_sequence_log_probs(DecoderModule& decoder, const std::vector<Sequence>& sequences,
                                          std::size_t batch_size, const Processes& processes,
                                          const std::string& precision) {
  torch::NoGradGuard no_grad;
  std::vector<std::size_t> order(sequences.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return sequences[a].length() < sequences[b].length(); });
  std::vector<float> in_order;
  const Share own = processes.share((order.size() + batch_size - 1) / batch_size);
  for (std::size_t batch = own.begin; batch < own.end; ++batch) {
    const std::size_t begin = batch * batch_size;
    const auto rows = std::span(order).subspan(begin, std::min(batch_size, order.size() - begin));
    const std::vector<float> part = values_of(sequence_log_probs(decoder, sequences, rows, precision));
    in_order.insert(in_order.end(), part.begin(), part.end());
  }
  if (!processes.alone()) {
    const std::vector<nlohmann::json> all = processes.gather(in_order);
    in_order.clear();
    for (const nlohmann::json& part : all)
      for (const nlohmann::json& value : part) in_order.push_back(value.get<float>());
  }
  std::vector<float> sums(sequences.size());
  for (std::size_t i = 0; i < order.size(); ++i) sums[order[i]] = in_order.at(i);
  return sums;
}

double weight_of(const PreferenceData& data, std::span<const std::size_t> items) {
  double weight = 0;
  for (const std::size_t item : items) weight += data.items[item].weight;
  return weight;
}

Tensor preference_loss(const host::PreferenceCall& algorithm, DecoderModule& decoder, const PreferenceData& data,
                       std::span<const std::size_t> items, const std::vector<float>& reference,
                       const host::PreferenceStep& step, const std::string& precision, MetricMap& metrics) {
  host::PreferencePart part;
  std::vector<std::size_t> rows;  // the chosen sequences, then the rejected ones
  const auto add = [&](std::int64_t sequence, double weight, host::PreferenceSide& side) {
    if (sequence < 0) return;
    const auto row = static_cast<std::size_t>(sequence);
    rows.push_back(row);
    side.lengths.push_back(static_cast<float>(data.sequences[row].response.size()));
    side.weights.push_back(static_cast<float>(weight));
    if (!reference.empty()) side.reference_log_probs.push_back(reference[row]);
  };
  for (const std::size_t item : items) add(data.items[item].chosen, data.items[item].weight, part.chosen);
  for (const std::size_t item : items) add(data.items[item].rejected, data.items[item].weight, part.rejected);

  const Tensor sums = sequence_log_probs(decoder, data.sequences, rows, precision);
  const std::vector<float> values = values_of(sums);
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(part.chosen.lengths.size());
  part.chosen.log_probs.assign(values.begin(), middle);
  part.rejected.log_probs.assign(middle, values.end());

  MetricMap sums_of_metrics;
  const host::PreferenceLoss loss = algorithm.loss(step, part, true, sums_of_metrics);
  for (const auto& [name, value] : sums_of_metrics) metrics[name] += value / step.weight;
  std::vector<float> gradient = loss.by_chosen;
  gradient.insert(gradient.end(), loss.by_rejected.begin(), loss.by_rejected.end());
  for (float& element : gradient) element = static_cast<float>(static_cast<double>(element) / step.weight);
  return known_gradient(loss.loss / step.weight, {sums}, {torch::tensor(gradient, torch::kFloat32)});
}

}  // namespace retort::train
