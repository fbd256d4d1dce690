// Time of one whole call (15 prompt tokens, 10 generated) of models of three sizes, and of loading, random weights.
// Linear layers by themselves are in linear_benchmark.cpp.
#include <benchmark/benchmark.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>

#include "random_model.h"
#include "runtime/generate/generation.h"
#include "runtime/measure/synthetic_model.h"

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

/// The highest resident memory since the last call, in bytes, file pages included; 0 where the system does not say.
double peak_memory() {
  std::ifstream status("/proc/self/status");
  std::string line;
  double kilobytes = 0;
  while (std::getline(status, line))
    if (line.starts_with("VmHWM:")) kilobytes = std::stod(line.substr(6));
  std::ofstream("/proc/self/clear_refs") << 5;
  return 1024 * kilobytes;
}

/// A folder of Qwen2.5-0.5B's shape in the page cache: opened, loaded, and its first token.
void run_load_large(benchmark::State& state, SyntheticWeights weights) {
  const testing::TemporaryFolder folder;
  // In a process of its own: what making the weights leaves in the heap is no part of loading them.
  const pid_t writer = fork();
  if (writer == 0) {
    write_synthetic_model(folder.path(), synthetic_config("qwen2.5-0.5b"), weights, 1);
    _exit(0);
  }
  int status = 0;
  if (writer < 0 || waitpid(writer, &status, 0) != writer || status != 0) {
    state.SkipWithError("the model could not be written");
    return;
  }
  double load = 0, first = 0, peak = 0, stored = 0;
  for (auto iteration : state) {
    peak_memory();
    const auto start = std::chrono::steady_clock::now();
    const model::ModelFolder model(folder.path());
    Decoder decoder(model, {.context = 64, .threads = 2});
    const auto loaded = std::chrono::steady_clock::now();
    benchmark::DoNotOptimize(decoder.forward(std::vector<TokenId>{7}));
    const auto done = std::chrono::steady_clock::now();
    load += std::chrono::duration<double, std::milli>(loaded - start).count();
    first += std::chrono::duration<double, std::milli>(done - start).count();
    stored = static_cast<double>(model.weight_bytes());
    peak = std::max(peak, peak_memory());
  }
  state.counters["weights_MB"] = stored * 1e-6;
  state.counters["peak_MB"] = peak * 1e-6;
  state.counters["load_ms"] = benchmark::Counter(load, benchmark::Counter::kAvgIterations);
  state.counters["first_token_ms"] = benchmark::Counter(first, benchmark::Counter::kAvgIterations);
}

BENCHMARK_CAPTURE(run_call, 0.5M_f32, Storage::f32, config_of(96, 3, 256, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 0.5M_int8, Storage::int8, config_of(96, 3, 256, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 0.5M_w8a16, Storage::w8a16, config_of(96, 3, 256, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 1M_f32, Storage::f32, config_of(128, 4, 384, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 1M_int8, Storage::int8, config_of(128, 4, 384, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 1M_w8a16, Storage::w8a16, config_of(128, 4, 384, 2048))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 8M_f32, Storage::f32, config_of(320, 6, 864, 4096))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 8M_int8, Storage::int8, config_of(320, 6, 864, 4096))->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_call, 8M_w8a16, Storage::w8a16, config_of(320, 6, 864, 4096))->Unit(benchmark::kMillisecond);
BENCHMARK(run_load)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_load_large, int4, SyntheticWeights::int4)->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK_CAPTURE(run_load_large, int8, SyntheticWeights::int8)->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK_CAPTURE(run_load_large, bf16, SyntheticWeights::bf16)->Unit(benchmark::kMillisecond)->Iterations(3);

}  // namespace
}  // namespace retort::runtime
