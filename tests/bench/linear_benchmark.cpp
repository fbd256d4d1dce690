// Linear layers by row kernels and by oneDNN, and the machine's read bandwidth right after each. Those of
// Qwen2.5-0.5B's shape are cycled through 512 MB, so that weights come from memory as in decoding; those of a model of
// a million weights through a million, which stay in the processor's caches as such a model does. Compare medians of
// repetitions that take turns: --benchmark_repetitions=5 --benchmark_enable_random_interleaving=true
//   GB/s    weights as stored, per second; Share is that of the measured bandwidth
//   GFLOP/s 2 · rows · in · out per second
#include <benchmark/benchmark.h>
#include <omp.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <oneapi/dnnl/dnnl.hpp>

#include "random_linear.h"
#include "random_model.h"
#include "runtime/linear/linear.h"
#include "runtime/linear/packed_memory.h"
#include "runtime/linear/row_kernel.h"
#include "runtime/measure/read_bandwidth.h"

namespace retort::runtime {
namespace {

constexpr std::int64_t kBytes = std::int64_t{512} << 20;
constexpr std::int64_t kSmallModel = 1'000'000;  // weights
constexpr std::int64_t kThreads = 2;

/// Bytes per second, measured anew at every call, since neighbours on the machine take some of it at times.
double measured_bandwidth() {
  constexpr std::int64_t kPasses = 5;
  static ReadBandwidth reads(kThreads, kBytes);
  return reads.measure(kPasses);
}

bool runs_here(const RowKernels& kernels) {
  return can_run(kernels, static_cast<unsigned>(dnnl::get_effective_cpu_isa()));
}

void report(benchmark::State& state, double bytes) {
  const std::int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  const auto iterations = static_cast<double>(state.iterations());
  using benchmark::Counter;
  state.counters["GB/s"] = Counter(bytes * 1e-9 * iterations, Counter::kIsRate);
  const double bandwidth = measured_bandwidth();
  state.counters["Share"] = Counter(bytes / bandwidth * iterations, Counter::kIsRate);
  state.counters["read GB/s"] = bandwidth * 1e-9;
  state.counters["GFLOP/s"] = Counter(2e-9 * static_cast<double>(rows * in * out) * iterations, Counter::kIsRate);
}

constexpr std::int64_t kGroup = 64;  // of int4, with bf16 scales

/// Copies of one layer that take turns, and rows for them. `activation_bits` as in model::LinearWeight.
class Layers {
 public:
  Layers(WeightForm form, int activation_bits, KernelChoice choice, std::int64_t rows, std::int64_t in,
         std::int64_t out, double bytes)
      : onednn_(kThreads), pool_(onednn_, 512), rows_(rows) {
    std::mt19937 random(1);
    const auto make = [&]() -> testing::RandomLinear {
      if (form == WeightForm::int4) return {in, out, kGroup, model::DataType::bf16, random};
      return {form, in, out, random};
    };
    const testing::RandomLinear weights = make();
    const std::int64_t layers = in * out < kCachedWeights
                                    ? kSmallModel / (in * out)
                                    : static_cast<std::int64_t>(bytes / stored_bytes(form, in, out));
    LinearWeights asked = weights.weights();
    asked.activation_bits = activation_bits;
    for (std::int64_t i = 0; i < std::max<std::int64_t>(1, layers); ++i) copies_.emplace_back(pool_, asked, choice);

    const std::int64_t bucket = row_bucket(rows);
    values_ = AlignedBuffer<float>(bucket * in);
    row_scales_ = AlignedBuffer<float>(bucket);
    y_ = AlignedBuffer<float>(bucket * out);
    codes_ = AlignedBuffer<std::int8_t>(bucket * Activation::code_bytes(in));
    halves_ = AlignedBuffer<std::uint16_t>(bucket * in);
    group_sums_ = AlignedBuffer<std::int32_t>(bucket * Activation::group_sums_of(in));
    outliers_ = AlignedBuffer<std::int32_t>(bucket * outliers_of(in));
    const std::vector<float> x = testing::random_values(bucket * in, random);
    std::copy(x.begin(), x.end(), values_.data());
    input_ = {values_.data(), codes_.data(), row_scales_.data(), halves_.data(), group_sums_.data(), outliers_.data()};
    for (std::int64_t row = 0; row < bucket; ++row) copies_.front().finish_row(input_, row, rows, 5.0f);
  }

  void run_next() {
    copies_[next_].run(rows_, input_, y_.data());
    next_ = next_ + 1 < copies_.size() ? next_ + 1 : 0;
    benchmark::ClobberMemory();
  }
  std::string implementation() const { return copies_.front().implementation(); }

  static double stored_bytes(WeightForm form, std::int64_t in, std::int64_t out) {
    const auto values = static_cast<double>(in * out);
    switch (form) {
      case WeightForm::f32:
        return 4 * values;
      case WeightForm::bf16:
        return 2 * values;
      case WeightForm::int8:
        return values + 4.0 * static_cast<double>(out);
      case WeightForm::int4:
        return values / 2 + 2 * values / kGroup;
    }
    return 0;
  }

 private:
  OneDnnEngine onednn_;
  MatmulPool pool_;
  std::int64_t rows_;
  std::deque<Linear> copies_;
  AlignedBuffer<float> values_, row_scales_, y_;
  AlignedBuffer<std::int8_t> codes_;
  AlignedBuffer<std::uint16_t> halves_;
  AlignedBuffer<std::int32_t> group_sums_, outliers_;
  Activation input_;
  std::size_t next_ = 0;
};

void run_linear(benchmark::State& state, WeightForm form, int activation_bits, KernelChoice choice) {
  const std::int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  Layers layers(form, activation_bits, choice, rows, in, out, kBytes);
  const ThreadCountScope threads(kThreads);
  for (auto iteration : state) layers.run_next();
  report(state, Layers::stored_bytes(form, in, out));
  state.SetLabel(layers.implementation());
}

/// How many times as long oneDNN takes as the row kernel: the median of the ratios of runs in turn, since a shared
/// machine's memory changes from one moment to the next.
void compare(benchmark::State& state, WeightForm form, int activation_bits) {
  constexpr double kEach = 128 << 20;  // more together than the last cache holds
  const std::int64_t rows = state.range(0), in = state.range(1), out = state.range(2);
  Layers own(form, activation_bits, KernelChoice::row_kernels, rows, in, out, kEach);
  Layers onednn(form, activation_bits, KernelChoice::onednn, rows, in, out, kEach);
  const ThreadCountScope threads(kThreads);
  const auto seconds = [](Layers& layers) {
    const auto start = std::chrono::steady_clock::now();
    layers.run_next();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  std::vector<double> ratios;
  for (auto iteration : state) {
    const double first = seconds(own), second = seconds(onednn);
    ratios.push_back(second / first);
  }
  std::sort(ratios.begin(), ratios.end());
  state.counters["onednn/own"] = ratios[ratios.size() / 2];
  state.counters["read GB/s"] = measured_bandwidth() * 1e-9;
  state.SetLabel(onednn.implementation());
}

/// One row of int4 in groups of 64 or of W8A16 by an entry of row_kernels() over 512 MB of weights, panel after panel.
void run_entry(benchmark::State& state, bool int4) {
  constexpr std::int64_t kIn = 896, kGroups = kIn / kGroup;
  const RowKernels& kernels = row_kernels()[static_cast<std::size_t>(state.range(0))];
  if (!runs_here(kernels)) return state.SkipWithMessage("not on this processor");
  Int4Panels panels4{nullptr, 0, kGroups, kGroup, ScaleType::bf16};
  const std::int64_t panel_bytes = int4 ? panels4.panel_bytes() : kIn * kPanelColumns, panels = kBytes / panel_bytes;
  static PackedMemory memory;
  static std::byte* const weights = [] {
    std::byte* const bytes = memory.take(kBytes);
    memory.prefer_huge_pages();
    std::fill(bytes, bytes + kBytes, std::byte{0x3C});
    return bytes;
  }();
  const std::vector<std::int8_t> codes(2 * kIn, 3);
  const std::vector<std::int16_t> joined(kIn, 3 * 128 + 3);
  const std::vector<std::int32_t> group_sums(2 * kGroups, 3 * kGroup), column_sums(panels * kPanelColumns);
  const std::vector<float> scales(column_sums.size(), 0.01f);
  std::vector<float> out(column_sums.size());
  panels4.data = weights;
  panels4.out = panels * kPanelColumns;
  const Int8Panels panels8{
      reinterpret_cast<const std::int8_t*>(weights), column_sums.data(), scales.data(), panels4.out, kIn / 4, kIn / 4};
  const ThreadCountScope threads(kThreads);
  for (auto iteration : state) {
#pragma omp parallel
    {
      const std::int64_t first = panels * omp_get_thread_num() / omp_get_num_threads();
      const std::int64_t last = panels * (omp_get_thread_num() + 1) / omp_get_num_threads();
      if (int4)
        kernels.int4(panels4, {first, last}, 1, {codes.data(), group_sums.data(), joined.data()}, out.data());
      else
        kernels.int8(panels8, {first, last}, 1, {codes.data(), kIn, true, joined.data()}, out.data());
    }
    benchmark::ClobberMemory();
  }
  state.counters["GB/s"] =
      benchmark::Counter(static_cast<double>(panels * panel_bytes) * 1e-9 * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate);
  state.counters["read GB/s"] = measured_bandwidth() * 1e-9;
  state.SetLabel(kernels.name);
}

/// Of Qwen2.5-0.5B gate and up, down, qkv; then some that models of less than 200 million weights have.
void shapes_of(benchmark::internal::Benchmark* benchmark, std::initializer_list<std::int64_t> all_rows) {
  benchmark->UseRealTime()->Unit(benchmark::kMicrosecond)->ArgNames({"rows", "in", "out"});
  for (const auto& [in, out] : {std::pair{896, 9728}, std::pair{4864, 896}, std::pair{896, 1152}, std::pair{576, 1536},
                                std::pair{320, 1728}, std::pair{160, 864}, std::pair{128, 768}})
    for (const std::int64_t rows : all_rows) benchmark->Args({rows, in, out});
}

void shapes(benchmark::internal::Benchmark* benchmark) {
  shapes_of(benchmark, {1, 2, 4, 8, 16, 32, 64, 128, 256, 512});
}

void few_rows(benchmark::internal::Benchmark* benchmark) {
  const std::initializer_list<std::int64_t> all_rows = {1, 2, 3, 4, 6, 8, 16, 32, 64};
  shapes_of(benchmark, all_rows);
  for (const std::int64_t rows : all_rows) benchmark->Args({rows, 896, 151936});  // the head
}

BENCHMARK_CAPTURE(run_entry, int4, true)->DenseRange(0, 4)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(run_entry, w8a16, false)->DenseRange(0, 4)->UseRealTime()->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(compare, w8a8, WeightForm::int8, 8)->Apply(few_rows);
BENCHMARK_CAPTURE(compare, w8a16, WeightForm::int8, 0)->Apply(few_rows);
BENCHMARK_CAPTURE(compare, w4a16, WeightForm::int4, 0)->Apply(few_rows);
BENCHMARK_CAPTURE(compare, bf16, WeightForm::bf16, 0)->Apply(few_rows);
BENCHMARK_CAPTURE(run_linear, w8a8_row_kernel, WeightForm::int8, 8, KernelChoice::row_kernels)->Apply(shapes);
BENCHMARK_CAPTURE(run_linear, w8a8_onednn, WeightForm::int8, 8, KernelChoice::onednn)->Apply(shapes);
BENCHMARK_CAPTURE(run_linear, w8a16_row_kernel, WeightForm::int8, 0, KernelChoice::row_kernels)->Apply(shapes);
BENCHMARK_CAPTURE(run_linear, w8a16_onednn, WeightForm::int8, 0, KernelChoice::onednn)->Apply(shapes);
BENCHMARK_CAPTURE(run_linear, w4a16_row_kernel, WeightForm::int4, 0, KernelChoice::row_kernels)->Apply(shapes);
BENCHMARK_CAPTURE(run_linear, w4a16_onednn, WeightForm::int4, 0, KernelChoice::onednn)->Apply(shapes);
BENCHMARK_CAPTURE(run_linear, bf16, WeightForm::bf16, 0, KernelChoice::faster)->Apply(shapes);
BENCHMARK_CAPTURE(run_linear, bf16_onednn, WeightForm::bf16, 0, KernelChoice::onednn)->Apply(shapes);
BENCHMARK_CAPTURE(run_linear, f32, WeightForm::f32, 0, KernelChoice::faster)->Apply(shapes);

}  // namespace
}  // namespace retort::runtime
