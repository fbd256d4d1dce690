// Time of one whole call (15 prompt tokens, 10 generated) of models of three sizes, random weights. Linear layers by
// themselves are in linear_benchmark.cpp.
#include <benchmark/benchmark.h>

#include "random_model.h"
#include "runtime/generation.h"

namespace retort::runtime {
namespace {

using testing::Storage;

constexpr std::int64_t kPromptTokens = 15;
constexpr std::int64_t kNewTokens = 10;
constexpr TokenId kNoEnd = -1;

model::ModelConfig config_of(std::int64_t hidden, std::int64_t layers, std::int64_t intermediate,
                             std::int64_t vocabulary) {
  model::ModelConfig config;
  config.hidden_size = hidden;
  config.layers = layers;
  config.intermediate_size = intermediate;
  config.vocabulary_size = vocabulary;
  config.head_dim = 32;
  config.heads = hidden / 32;
  config.kv_heads = config.heads % 2 == 0 ? config.heads / 2 : config.heads;
  config.max_positions = 256;
  config.tie_word_embeddings = false;  // so that the head can be int8
  return config;
}

void run_call(benchmark::State& state, Storage storage, const model::ModelConfig& config) {
  const testing::TemporaryFolder folder;
  testing::write_model(folder.path(), config, testing::random_weights(config, 1), storage);
  const model::ModelFolder model(folder.path());
  Decoder decoder(model, {});
  const std::vector<TokenId> prompt(kPromptTokens, 7);
  double prefill = 0, decode = 0;
  for (auto iteration : state) {
    const Generation generation = generate_greedy(decoder, prompt, kNoEnd, kNewTokens);
    prefill += generation.prefill_ms;
    decode += generation.decode_ms;
  }
  state.counters["parameters"] = static_cast<double>(config.parameters());
  state.counters["prefill_ms"] = benchmark::Counter(prefill, benchmark::Counter::kAvgIterations);
  state.counters["decode_ms"] = benchmark::Counter(decode, benchmark::Counter::kAvgIterations);
}

void run_load(benchmark::State& state) {
  const testing::TemporaryFolder folder;
  const model::ModelConfig config = config_of(128, 4, 384, 2048);
  testing::write_model(folder.path(), config, testing::random_weights(config, 1), Storage::int8);
  const model::ModelFolder model(folder.path());
  for (auto iteration : state) {
    Decoder decoder(model, {});
    benchmark::DoNotOptimize(decoder.context());
  }
}

BENCHMARK_CAPTURE(run_call, 0.5M_f32, Storage::f32, config_of(96, 3, 256, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 0.5M_int8, Storage::int8, config_of(96, 3, 256, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 1M_f32, Storage::f32, config_of(128, 4, 384, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 1M_int8, Storage::int8, config_of(128, 4, 384, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 8M_f32, Storage::f32, config_of(320, 6, 864, 4096))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 8M_int8, Storage::int8, config_of(320, 6, 864, 4096))->Unit(benchmark::kMillisecond);
BENCHMARK(run_load)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace retort::runtime
