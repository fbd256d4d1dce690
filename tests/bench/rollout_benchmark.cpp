// Rollouts: the runtime's engine in f32 and bf16, weights repacked, against the sampler on LibTorch, in turn in one
// run. Usage: bench_rollouts [threads [rounds [MODEL DATASET]]]
//   without a model: the SNIPS teacher's shape (configs/snips.json) with random weights, which never end a response, so
//   that all are equally long: the engine's worst case. With one: its answers to prompts of DATASET/train.jsonl, which
//   end where the model ends them.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <vector>

#include "train/corpus.h"
#include "train/model_weights.h"
#include "train/policy_engine.h"
#include "train/reference_sampling.h"
#include "train/trainer.h"

namespace {

using namespace retort;

constexpr std::int64_t prompt_count = 32, group = 8;

/// What is sampled from.
struct Work {
  std::unique_ptr<train::DecoderModule> decoder;
  std::vector<std::vector<text::TokenId>> prompts;
  text::TokenId end_token = -1;
  std::int64_t new_tokens = 24;
};

Work random_weights() {
  model::ModelConfig config;
  config.vocabulary_size = 1536;
  config.hidden_size = 224;
  config.layers = 5;
  config.heads = config.kv_heads = 7;
  config.head_dim = 32;
  config.intermediate_size = 608;
  config.max_positions = 256;
  Work work{std::make_unique<train::DecoderModule>(config, 1), {}};
  constexpr std::int64_t prompt_tokens = 16;
  for (std::int64_t p = 0; p < prompt_count; ++p) {
    work.prompts.emplace_back();
    for (std::int64_t t = 0; t < prompt_tokens; ++t)
      work.prompts.back().push_back(static_cast<text::TokenId>((p * 131 + t * 17) % config.vocabulary_size));
  }
  return work;
}

Work trained_model(const std::filesystem::path& folder, const std::filesystem::path& dataset) {
  train::CallModule module = train::load_call_module(folder);
  Work work{nullptr, {}, module.contract.end_token(module.tokenizer), 64};
  const auto rows = train::read_labelled_rows(dataset / "train.jsonl").examples;
  for (std::size_t p = 0; p < static_cast<std::size_t>(prompt_count); ++p)  // from all over the file
    work.prompts.push_back(module.contract.prompt(
        module.tokenizer, rows[p * rows.size() / static_cast<std::size_t>(prompt_count)].utterance()));
  work.decoder = std::move(module.decoder);
  return work;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

/// Times and tokens of every round.
struct Sampler {
  const char* name;
  std::function<std::int64_t(std::uint64_t seed)> sample;  ///< returns the tokens
  std::vector<double> seconds, rates;
  void measure(std::uint64_t seed, bool counts) {
    const auto start = std::chrono::steady_clock::now();
    const auto tokens = static_cast<double>(sample(seed));
    const double taken = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    if (!counts) return;
    seconds.push_back(taken);
    rates.push_back(tokens / taken);
  }
};

template <typename Rows, typename Size>
std::int64_t sum_of(const Rows& rows, const Size& size) {
  std::int64_t sum = 0;
  for (const auto& row : rows) sum += static_cast<std::int64_t>(size(row));
  return sum;
}

}  // namespace

int main(int count, char** arguments) {
  const std::int64_t threads = count > 1 ? std::atoll(arguments[1]) : 2;
  const int rounds = count > 2 ? std::atoi(arguments[2]) : 3;
  train::use_threads(threads);
  const Work work = count > 4 ? trained_model(arguments[3], arguments[4]) : random_weights();
  std::vector<std::vector<text::TokenId>> each;
  std::size_t longest = 0;
  for (const auto& prompt : work.prompts) {
    each.insert(each.end(), group, prompt);
    longest = std::max(longest, prompt.size());
  }
  const std::int64_t context = static_cast<std::int64_t>(longest) + work.new_tokens;
  const auto on_engine = [&](runtime::RolloutPrecision precision) {
    auto engine = std::make_shared<train::PolicyEngine>(*work.decoder, threads, context, precision);
    return [&work, engine](std::uint64_t seed) {
      return sum_of(engine->sample(work.prompts, {.temperature = 1,
                                                  .max_new_tokens = work.new_tokens,
                                                  .end_token = work.end_token,
                                                  .group_size = group,
                                                  .seed = seed}),
                    [](const runtime::Rollout& rollout) { return rollout.tokens.size(); });
    };
  };
  std::vector<Sampler> samplers = {{"LibTorch sampler",
                                    [&](std::uint64_t seed) {
                                      return sum_of(train::ref_sample(*work.decoder, each,
                                                                      {.temperature = 1,
                                                                       .max_new_tokens = work.new_tokens,
                                                                       .end_token = work.end_token,
                                                                       .seed = seed,
                                                                       .batch_size = 512}),
                                                    [](const auto& tokens) { return tokens.size(); });
                                    }},
                                   {"rollout engine, f32", on_engine(runtime::RolloutPrecision::f32)},
                                   {"rollout engine, bf16", on_engine(runtime::RolloutPrecision::bf16)}};
  for (int round = -1; round < rounds; ++round)  // the first one warms up
    for (Sampler& sampler : samplers) sampler.measure(static_cast<std::uint64_t>(round + 1), round >= 0);
  std::printf("%lld samples of %.1f tokens on average, %lld threads, medians of %d rounds\n",
              static_cast<long long>(prompt_count * group),
              median(samplers[1].rates) * median(samplers[1].seconds) / static_cast<double>(prompt_count * group),
              static_cast<long long>(threads), rounds);
  for (const Sampler& sampler : samplers)
    std::printf("%-22s %8.3f s %9.0f tokens/s %7.2f times\n", sampler.name, median(sampler.seconds),
                median(sampler.rates), median(sampler.rates) / median(samplers[0].rates));
  return 0;
}
