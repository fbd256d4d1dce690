// Time of one linear layer and of one whole call (15 prompt tokens, 10 generated) of models of three sizes, random
// weights. The label of a layer is the oneDNN implementation that ran.
#include <benchmark/benchmark.h>

#include <map>
#include <memory>

#include "random_model.h"
#include "runtime/generation.h"
#include "runtime/linear.h"

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

void run_linear(benchmark::State& state, Arithmetic arithmetic) {
  const std::int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  const OneDnnEngine onednn(1);
  MatmulPool pool(onednn, 512);
  const auto size = static_cast<std::size_t>(in * out);
  LinearWeights weights{"layer.linear", {arithmetic, in, out}};
  if (arithmetic == Arithmetic::f32) {
    weights.values.assign(size, 0.01f);
  } else {
    weights.codes.assign(size, 3);
    weights.scales.assign(static_cast<std::size_t>(out), 0.01f);
  }
  const Linear linear(pool, weights);
  AlignedBuffer<float> values(row_bucket(rows) * in), y(row_bucket(rows) * out);
  AlignedBuffer<std::int8_t> codes(row_bucket(rows) * in);
  const ThreadCountScope threads(1);
  for (auto iteration : state) {
    linear.run(rows, {.values = values.data(), .codes = codes.data()}, y.data());
    benchmark::ClobberMemory();
  }
  state.SetLabel(linear.implementation());
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

void linear_sizes(benchmark::internal::Benchmark* benchmark) {
  for (const std::int64_t rows : {1, 16, 128}) {
    benchmark->Args({rows, 128, 256})->Args({rows, 384, 128})->Args({rows, 150, 333})->Args({rows, 128, 2048});
  }
}

BENCHMARK_CAPTURE(run_linear, f32, Arithmetic::f32)->Apply(linear_sizes);
BENCHMARK_CAPTURE(run_linear, int8, Arithmetic::int8)->Apply(linear_sizes);
BENCHMARK_CAPTURE(run_call, 0.5M_f32, Storage::f32, config_of(96, 3, 256, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 0.5M_int8, Storage::int8, config_of(96, 3, 256, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 1M_f32, Storage::f32, config_of(128, 4, 384, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 1M_int8, Storage::int8, config_of(128, 4, 384, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 8M_f32, Storage::f32, config_of(320, 6, 864, 4096))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 8M_int8, Storage::int8, config_of(320, 6, 864, 4096))->Unit(benchmark::kMillisecond);
BENCHMARK(run_load)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace retort::runtime
