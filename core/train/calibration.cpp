#include "train/calibration.h"

#include <retort/abi/pruner.h>

#include <span>

#include "train/reference_sampling.h"

namespace retort::train {
namespace {

using torch::Tensor;
constexpr std::size_t calibration_batch = 64;

/// Runs the model over the sequences; the observer sees each batch with `lengths` [B] set before.
void run_over(DecoderModule& decoder, const std::vector<Sequence>& sequences, Tensor& lengths, const Observer& observer,
              const std::function<bool()>& enough) {
  torch::NoGradGuard no_grad;
  decoder.observer = observer;
  for (std::size_t begin = 0; begin < sequences.size() && !enough(); begin += calibration_batch) {
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
  Tensor lengths, hidden, cosine = torch::zeros({config.layers}), input;
  std::vector<Tensor> feed_forward(layers), heads(layers);
  double positions = 0;
  run_over(
      decoder, sequences, lengths,
      [&](Site site, std::int64_t layer, const Tensor& a) {
        const auto l = static_cast<std::size_t>(std::max<std::int64_t>(layer, 0));
        if (site == Site::attention_input || site == Site::feed_forward_input || site == Site::head_input)
          add_to(hidden, squared_mean_absolute(a, lengths));
        if (site == Site::feed_forward_hidden) add_to(feed_forward[l], squared_mean_absolute(a, lengths));
        if (site == Site::attention_output)
          add_to(heads[l], squared_mean_absolute(
                               a.view({a.size(0), a.size(1), config.heads, config.head_dim}).norm(2, -1), lengths));
        if (site == Site::layer_input) input = a;
        if (site == Site::layer_output) {
          const Tensor mask = valid_positions(lengths, a.size(1));
          cosine[layer] += (torch::cosine_similarity(input, a, -1) * mask).sum();
          if (layer == 0) positions += mask.sum().item<double>();
        }
      },
      [] { return false; });

  PruneSignalTensors out;
  if ((signals & RETORT_SIGNAL_HIDDEN_NORMS) != 0) out.hidden_norms = hidden.sqrt();
  if ((signals & RETORT_SIGNAL_FEED_FORWARD_NORMS) != 0) out.feed_forward_norms = torch::stack(feed_forward).sqrt();
  if ((signals & RETORT_SIGNAL_HEAD_NORMS) != 0) out.head_norms = torch::stack(heads).sqrt();
  if ((signals & RETORT_SIGNAL_BLOCK_INFLUENCE) != 0) out.block_influence = 1 - cosine / positions;
  if ((signals & RETORT_SIGNAL_TOKEN_COUNTS) != 0) {
    out.token_counts = torch::zeros({config.vocabulary_size});
    for (const Sequence& sequence : sequences)
      for (const auto& part : {sequence.prompt, sequence.response})
        for (const text::TokenId token : part) out.token_counts[token] += 1;
  }
  return out;
}

std::map<std::string, Tensor> module_inputs(DecoderModule& decoder, const std::vector<Sequence>& sequences,
                                            std::int64_t rows) {
  std::map<std::string, std::vector<Tensor>> pieces;
  std::map<std::string, std::int64_t> counts;
  Tensor lengths;
  const auto keep = [&](const std::string& module, const Tensor& a) {
    std::int64_t& count = counts[module];
    if (count >= rows) return;
    const Tensor mask = valid_positions(lengths, a.size(1)).view({-1}) > 0;
    Tensor valid = a.reshape({-1, a.size(-1)}).index({mask}).to(torch::kFloat32);
    valid = valid.narrow(0, 0, std::min(valid.size(0), rows - count)).contiguous();
    count += valid.size(0);
    pieces[module].push_back(valid);
  };
  run_over(
      decoder, sequences, lengths,
      [&](Site site, std::int64_t layer, const Tensor& a) {
        const std::string prefix = "model.layers." + std::to_string(layer) + ".";
        switch (site) {
          case Site::attention_input:
            for (const char* name : {"q_proj", "k_proj", "v_proj"}) keep(prefix + "self_attn." + name, a);
            break;
          case Site::attention_output:
            keep(prefix + "self_attn.o_proj", a);
            break;
          case Site::feed_forward_input:
            for (const char* name : {"gate_proj", "up_proj"}) keep(prefix + "mlp." + name, a);
            break;
          case Site::feed_forward_hidden:
            keep(prefix + "mlp.down_proj", a);
            break;
          case Site::head_input:
            keep("lm_head", a);
            break;
          case Site::layer_input:
          case Site::layer_output:
            break;
        }
      },
      [&] { return counts.contains("lm_head") && counts["lm_head"] >= rows; });
  std::map<std::string, Tensor> inputs;
  for (const auto& [module, parts] : pieces) inputs[module] = torch::cat(parts);
  return inputs;
}

}  // namespace retort::train
