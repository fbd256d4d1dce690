// What runs between the matmuls, one row at a time, at the sizes of Qwen2.5-0.5B (D 896, F 4864, V 151,936; 14 query
// heads of 64 share 2 key/value heads); the plain loops of reference_kernels.h stand beside those that have one.
//   elements/s  numbers of a row per second
//   positions/s attended positions, all queries of a tile counted
//   GB/s        keys and values read
#include <benchmark/benchmark.h>

#include <algorithm>
#include <numeric>

#include "random_model.h"
#include "runtime/kernels/attention.h"
#include "runtime/kernels/reference_kernels.h"
#include "runtime/kernels/vector_kernels.h"
#include "runtime/linear/outliers.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kHidden = 896, kIntermediate = 4864, kVocabulary = 151'936, kHeadDim = 64;

std::vector<float> values_of(std::int64_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  return testing::random_values(count, random);
}

/// Times body(); a call handles `elements` numbers.
template <class Body>
void measure(benchmark::State& state, std::int64_t elements, const Body& body) {
  for (auto iteration : state) {
    body();
    benchmark::ClobberMemory();
  }
  state.counters["elements/s"] = benchmark::Counter(
      static_cast<double>(elements) * static_cast<double>(state.iterations()), benchmark::Counter::kIsRate);
}

void norm(benchmark::State& state) {
  const std::vector<float> x = values_of(kHidden, 1), weight = values_of(kHidden, 2);
  std::vector<float> y(x.size());
  measure(state, kHidden, [&] { rms_norm(x.data(), weight.data(), kHidden, 1e-6f, y.data()); });
}

void norm_reference(benchmark::State& state) {
  const std::vector<float> x = values_of(kHidden, 1), weight = values_of(kHidden, 2);
  measure(state, kHidden, [&] { benchmark::DoNotOptimize(ref_rms_norm(x, weight, 1e-6)); });
}

void gated_unit(benchmark::State& state) {
  const std::vector<float> gate = values_of(kIntermediate, 1), up = values_of(kIntermediate, 2);
  std::vector<float> y(gate.size());
  measure(state, kIntermediate, [&] { swiglu(gate.data(), up.data(), kIntermediate, 0.5f, y.data()); });
}

void gated_unit_reference(benchmark::State& state) {
  const std::vector<float> gate = values_of(kIntermediate, 1), up = values_of(kIntermediate, 2);
  measure(state, kIntermediate, [&] { benchmark::DoNotOptimize(ref_swiglu(gate, up)); });
}

void quantise_8_bits(benchmark::State& state) {
  const std::vector<float> x = values_of(kIntermediate, 1);
  const float maximum = max_abs(x.data(), kIntermediate);
  std::vector<std::int8_t> codes(x.size());
  measure(state, kIntermediate, [&] { quantize_row(x.data(), kIntermediate, maximum, codes.data()); });
}

void quantise_8_bits_reference(benchmark::State& state) {
  const std::vector<float> x = values_of(kIntermediate, 1);
  measure(state, kIntermediate, [&] { benchmark::DoNotOptimize(ref_quantize_row(x)); });
}

void quantise_8_bits_but_outliers(benchmark::State& state) {
  std::vector<float> x = values_of(kIntermediate, 1);
  for (std::int64_t i = 0; i < state.range(0); ++i) x[static_cast<std::size_t>(i * 97 % kIntermediate)] = 100;
  const float maximum = max_abs(x.data(), kIntermediate);
  std::vector<std::int8_t> codes(x.size());
  std::vector<std::int32_t> outliers(static_cast<std::size_t>(outliers_of(kIntermediate)));
  measure(state, kIntermediate,
          [&] { quantize_row_but_outliers(x.data(), kIntermediate, maximum, codes.data(), outliers.data()); });
}

void outliers_products(benchmark::State& state) {
  const std::vector<float> x = values_of(kHidden, 1);
  std::vector<std::int32_t> outliers{static_cast<std::int32_t>(state.range(0))};
  for (std::int64_t i = 0; i < state.range(0); ++i) outliers.push_back(static_cast<std::int32_t>(i * 97 % kHidden));
  const std::vector<std::int8_t> codes(static_cast<std::size_t>(kHidden * 2 * kIntermediate), 3);
  const std::vector<float> scales(2 * kIntermediate, 0.01f);
  std::vector<float> y(scales.size());
  const Int8Panels panels{codes.data(), nullptr, scales.data(), 2 * kIntermediate, kHidden / 4, kHidden / 4};
  measure(state, state.range(0) * 2 * kIntermediate, [&] {
    add_outliers(panels, 0, 2 * kIntermediate / kPanelColumns, x.data(), 0.1f, outliers.data(), y.data());
  });
}

void quantise_15_bits(benchmark::State& state) {
  const std::vector<float> x = values_of(kIntermediate, 1);
  const float maximum = max_abs(x.data(), kIntermediate);
  std::vector<std::int8_t> high(x.size()), low(x.size());
  measure(state, kIntermediate, [&] { quantize_row_wide(x.data(), kIntermediate, maximum, high.data(), low.data()); });
}

void quantise_15_bits_in_groups(benchmark::State& state) {
  constexpr std::int64_t kGroup = 64;
  const std::vector<float> x = values_of(kIntermediate, 1);
  const float maximum = max_abs(x.data(), kIntermediate);
  std::vector<std::int8_t> high(x.size()), low(x.size());
  std::vector<std::int32_t> high_sums(kIntermediate / kGroup), low_sums(high_sums.size());
  measure(state, kIntermediate, [&] {
    quantize_groups_wide(x.data(), kIntermediate, kGroup, maximum, high.data(), low.data(), high_sums.data(),
                         low_sums.data());
  });
}

void rounding_to_bf16(benchmark::State& state) {
  const std::vector<float> x = values_of(kIntermediate, 1);
  std::vector<std::uint16_t> halves(x.size());
  measure(state, kIntermediate, [&] { round_to_bfloat16(x.data(), kIntermediate, halves.data()); });
}

void rotation(benchmark::State& state) {
  const std::vector<float> x = values_of(kHeadDim, 1), cosine = values_of(kHeadDim / 2, 2),
                           sine = values_of(kHeadDim / 2, 3);
  std::vector<float> y(x.size());
  measure(state, kHeadDim, [&] { rotate(x.data(), cosine.data(), sine.data(), kHeadDim, 1.0f, y.data()); });
}

void residual(benchmark::State& state) {
  const std::vector<float> x = values_of(kHidden, 1);
  std::vector<float> y = values_of(kHidden, 2);
  measure(state, kHidden, [&] { add_scaled(x.data(), 1e-3f, kHidden, y.data()); });
}

void greedy_choice(benchmark::State& state) {
  const std::vector<float> logits = values_of(kVocabulary, 1);
  measure(state, kVocabulary, [&] { benchmark::DoNotOptimize(argmax(logits.data(), kVocabulary)); });
}

/// Seven query heads that share a key/value head, after `range(0)` positions; one layer after the other of a cache of
/// `range(1)` MB, or always the same one if that is 0.
void attention(benchmark::State& state, KvType type) {
  constexpr std::int64_t kQueries = 7;
  const std::int64_t context = state.range(0), count = (context + kBlockTokens - 1) / kBlockTokens;
  const std::int64_t bytes = context * KvCache(1, 1, kHeadDim, 1, type).bytes_per_token();
  const std::int64_t layers = std::max<std::int64_t>(1, (state.range(1) << 20) / bytes);
  KvCache cache(layers, 1, kHeadDim, count, type);
  std::vector<BlockId> blocks(static_cast<std::size_t>(count));
  std::iota(blocks.begin(), blocks.end(), 0);
  std::mt19937 random(1);
  for (std::int64_t position = 0; position < context; ++position) {
    const std::vector<float> key = testing::random_values(kHeadDim, random),
                             value = testing::random_values(kHeadDim, random);
    for (std::int64_t layer = 0; layer < layers; ++layer)
      cache.store(layer, 0, {blocks.data(), position}, key.data(), value.data(), 1.0f);
  }
  const std::vector<float> queries = testing::random_values(kQueries * kHeadDim, random, 0.125f);
  std::vector<float> out(queries.size());
  QueryTile tile;
  tile.count = kQueries;
  for (std::size_t q = 0; q < kQueries; ++q) {
    tile.queries.at(q) = queries.data() + q * kHeadDim;
    tile.ranges.at(q) = {0, context};
    tile.out.at(q) = out.data() + q * kHeadDim;
  }
  AlignedBuffer<float> scratch(attention_scratch(kHeadDim));
  std::int64_t layer = 0;
  for (auto iteration : state) {
    attend(tile, cache, layer, 0, blocks.data(), scratch.data());
    layer = layer + 1 < layers ? layer + 1 : 0;
    benchmark::ClobberMemory();
  }
  const auto iterations = static_cast<double>(state.iterations());
  using benchmark::Counter;
  state.counters["positions/s"] = Counter(static_cast<double>(kQueries * context) * iterations, Counter::kIsRate);
  state.counters["GB/s"] = Counter(1e-9 * static_cast<double>(bytes) * iterations, Counter::kIsRate);
}

BENCHMARK(norm);
BENCHMARK(norm_reference);
BENCHMARK(gated_unit);
BENCHMARK(gated_unit_reference);
BENCHMARK(quantise_8_bits);
BENCHMARK(quantise_8_bits_reference);
BENCHMARK(quantise_8_bits_but_outliers)->Arg(0)->Arg(3);
BENCHMARK(outliers_products)->Arg(1)->Arg(8);
BENCHMARK(quantise_15_bits);
BENCHMARK(quantise_15_bits_in_groups);
BENCHMARK(rounding_to_bf16);
BENCHMARK(rotation);
BENCHMARK(residual);
BENCHMARK(greedy_choice);
void contexts(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"context", "MB"})->Args({32, 0})->Args({512, 0})->Args({4096, 0})->Args({2048, 128});
}
BENCHMARK_CAPTURE(attention, f32, KvType::f32)->Apply(contexts);
BENCHMARK_CAPTURE(attention, bf16, KvType::bf16)->Apply(contexts);
BENCHMARK_CAPTURE(attention, int8, KvType::int8)->Apply(contexts);

}  // namespace
}  // namespace retort::runtime
