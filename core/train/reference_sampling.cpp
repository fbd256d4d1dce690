#include "train/reference_sampling.h"

#include <algorithm>
#include <numeric>

#include "host/plugin/stop_request.h"
#include "train/sequences.h"

namespace retort::train {

torch::Tensor pad(const std::vector<std::vector<text::TokenId>>& rows) {
  std::size_t longest = 1;
  for (const auto& row : rows) longest = std::max(longest, row.size());
  torch::Tensor ids =
      torch::zeros({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(longest)}, torch::kInt64);
  auto cell = ids.accessor<std::int64_t, 2>();
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < rows[i].size(); ++j)
      cell[static_cast<std::int64_t>(i)][static_cast<std::int64_t>(j)] = rows[i][j];
  return ids;
}

namespace {

using Rows = std::vector<std::vector<text::TokenId>>;

/// Gumbel-max sampling: argmax(logits/temperature − log(−log u)) draws from the softmax, row by row from its own
/// stream.
torch::Tensor choose(const torch::Tensor& logits, const ReferenceSampling& options,
                     std::vector<SeededSequence>& streams) {
  if (options.temperature <= 0) return logits.argmax(-1);
  torch::Tensor uniform = torch::empty(logits.sizes());
  float* next = uniform.data_ptr<float>();
  for (SeededSequence& stream : streams)
    for (std::int64_t i = 0; i < logits.size(1); ++i)
      *next++ = (static_cast<float>(stream.next() >> 40) + 0.5f) / static_cast<float>(1 << 24);
  return (logits / options.temperature - (-uniform.log()).log()).argmax(-1);
}

Rows sample_batch(DecoderModule& decoder, const Rows& prompts, const ReferenceSampling& options,
                  std::vector<SeededSequence> streams) {
  const auto batch = static_cast<std::int64_t>(prompts.size());
  torch::Tensor lengths = torch::empty({batch}, torch::kInt64);
  for (std::int64_t i = 0; i < batch; ++i)
    lengths[i] = static_cast<std::int64_t>(prompts[static_cast<std::size_t>(i)].size());
  const torch::Tensor ids = pad(prompts);
  const std::int64_t capacity = std::min(decoder.config().max_positions, ids.size(1) + options.max_new_tokens);

  ReferenceCache cache;
  const torch::Tensor hidden = decoder.hidden_into_cache(ids, lengths, capacity, cache);
  torch::Tensor last = hidden.index({torch::arange(batch), lengths - 1});
  Rows responses(prompts.size());
  std::vector<char> done(prompts.size(), 0);
  const std::int64_t steps = capacity - ids.size(1);
  for (std::int64_t step = 0; step < steps; ++step) {
    host::throw_if_stop_requested();
    const torch::Tensor next = choose(decoder.logits(last), options, streams);
    const auto chosen = next.accessor<std::int64_t, 1>();
    for (std::size_t i = 0; i < prompts.size(); ++i) {
      if (done[i]) continue;
      const auto token = static_cast<text::TokenId>(chosen[static_cast<std::int64_t>(i)]);
      responses[i].push_back(token);
      done[i] = token == options.end_token;
    }
    if (std::all_of(done.begin(), done.end(), [](char value) { return value != 0; })) break;
    if (step + 1 < steps) last = decoder.hidden_step(next, cache);
  }
  return responses;
}

}  // namespace

Rows ref_sample(DecoderModule& decoder, const Rows& prompts, const ReferenceSampling& options) {
  torch::NoGradGuard no_grad;
  std::vector<std::size_t> order(prompts.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return prompts[a].size() < prompts[b].size(); });

  Rows responses(prompts.size());
  for (std::size_t begin = 0; begin < order.size(); begin += static_cast<std::size_t>(options.batch_size)) {
    const std::size_t end = std::min(order.size(), begin + static_cast<std::size_t>(options.batch_size));
    Rows part;
    std::vector<SeededSequence> streams;
    for (std::size_t i = begin; i < end; ++i) {
      part.push_back(prompts[order[i]]);
      streams.emplace_back(options.seed, order[i]);
    }
    Rows answers = sample_batch(decoder, part, options, std::move(streams));
    for (std::size_t i = begin; i < end; ++i) responses[order[i]] = std::move(answers[i - begin]);
  }
  return responses;
}

}  // namespace retort::train
