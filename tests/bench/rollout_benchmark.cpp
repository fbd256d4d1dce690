// Rollouts of a model of the SNIPS teacher's shape (configs/snips.json), random weights: the runtime's engine, weights
// repacked, against the sampler on LibTorch, in turn in one run. Usage: bench_rollouts [threads [rounds]]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "train/policy_engine.h"
#include "train/reference_sampling.h"
#include "train/trainer.h"

namespace {

using namespace retort;

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int count, char** arguments) {
  const std::int64_t threads = count > 1 ? std::atoll(arguments[1]) : 2;
  const int rounds = count > 2 ? std::atoi(arguments[2]) : 3;
  constexpr std::int64_t prompts = 32, group = 8, prompt_tokens = 16, new_tokens = 24;
  model::ModelConfig config;
  config.vocabulary_size = 1536;
  config.hidden_size = 224;
  config.layers = 5;
  config.heads = config.kv_heads = 7;
  config.head_dim = 32;
  config.intermediate_size = 608;
  config.max_positions = 256;
  train::use_threads(threads);
  train::DecoderModule decoder(config, 1);
  std::vector<std::vector<text::TokenId>> asked, each;
  for (std::int64_t p = 0; p < prompts; ++p) {
    asked.emplace_back();
    for (std::int64_t t = 0; t < prompt_tokens; ++t)
      asked.back().push_back(static_cast<text::TokenId>((p * 131 + t * 17) % config.vocabulary_size));
    each.insert(each.end(), group, asked.back());
  }
  train::PolicyEngine engine(decoder, threads, prompt_tokens + new_tokens);
  std::vector<double> runtime, libtorch;
  for (int round = -1; round < rounds; ++round) {  // the first one warms up
    const auto seed = static_cast<std::uint64_t>(round + 1);
    const double fast = seconds_of([&] {
      engine.sample(asked, {.temperature = 1, .max_new_tokens = new_tokens, .group_size = group, .seed = seed});
    });
    const double slow = seconds_of([&] {
      train::ref_sample(decoder, each,
                        {.temperature = 1, .max_new_tokens = new_tokens, .seed = seed, .batch_size = 512});
    });
    if (round < 0) continue;
    runtime.push_back(fast);
    libtorch.push_back(slow);
  }
  const double tokens = static_cast<double>(prompts * group * new_tokens);
  std::printf("%lld samples of %lld tokens, %lld threads, medians of %d rounds\n",
              static_cast<long long>(prompts * group), static_cast<long long>(new_tokens),
              static_cast<long long>(threads), rounds);
  std::printf("LibTorch sampler  %8.3f s  %9.0f tokens/s\n", median(libtorch), tokens / median(libtorch));
  std::printf("rollout engine    %8.3f s  %9.0f tokens/s\n", median(runtime), tokens / median(runtime));
  std::printf("ratio             %8.2f\n", median(libtorch) / median(runtime));
  return 0;
}
