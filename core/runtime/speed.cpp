// See speed.h.
#include "runtime/speed.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>

#include "runtime/multiversion.h"
#include "runtime/onednn_engine.h"
#include "runtime/packed_memory.h"
#include "runtime/parallel.h"

namespace retort::runtime {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<TokenId> random_tokens(std::int64_t count, std::int64_t vocabulary) {
  std::mt19937 random(1);
  std::uniform_int_distribution<TokenId> any(0, static_cast<TokenId>(vocabulary - 1));
  std::vector<TokenId> tokens(static_cast<std::size_t>(count));
  for (TokenId& token : tokens) token = any(random);
  return tokens;
}

/// Tokens per second of one repetition.
double run_once(Decoder& decoder, const SpeedTest& test, std::span<const TokenId> tokens) {
  const auto depth = static_cast<std::size_t>(test.depth);
  for (std::int64_t sequence = 0; sequence < test.batch; ++sequence) {
    decoder.reset(sequence);
    if (depth > 0) decoder.forward(tokens.first(depth), sequence);
  }
  const std::span<const TokenId> rest = tokens.subspan(depth);
  const Clock::time_point start = Clock::now();
  if (test.prompt > 0) {
    for (std::int64_t sequence = 0; sequence < test.batch; ++sequence) decoder.forward(rest, sequence);
  } else {
    std::vector<SequenceStep> steps(static_cast<std::size_t>(test.batch));
    for (const TokenId token : rest) {
      for (std::size_t i = 0; i < steps.size(); ++i) steps[i] = {static_cast<std::int64_t>(i), token};
      decoder.step(steps);
    }
  }
  return static_cast<double>(rest.size()) * static_cast<double>(test.batch) / seconds_since(start);
}

// Who fetches memory ahead of the loads. Which is faster depends on the processor: ours by a fifth on Zen 4, the
// processor's own by a fifth on Zen 3.
enum class Fetch { by_hardware, ahead };

// Several independent sums, so that loads and not additions are what takes time.
template <Fetch kWay>
[[gnu::always_inline]] inline std::uint64_t sum_words(const std::uint64_t* words, std::int64_t count) {
  constexpr std::int64_t kLineWords = 8, kLines = 4, kAhead = 512;  // 4 KiB
  std::uint64_t sums[kLines * kLineWords]{};
  std::int64_t i = 0;
  for (; i + kLines * kLineWords <= count; i += kLines * kLineWords) {
    if constexpr (kWay == Fetch::ahead)
      for (std::int64_t line = 0; line < kLines; ++line) __builtin_prefetch(words + i + line * kLineWords + kAhead);
#pragma omp simd
    for (std::int64_t k = 0; k < kLines * kLineWords; ++k) sums[k] += words[i + k];
  }
  std::uint64_t sum = 0;
  for (const std::uint64_t part : sums) sum += part;
  for (; i < count; ++i) sum += words[i];
  return sum;
}

RETORT_MULTIVERSION
std::uint64_t sum_by_hardware(const std::uint64_t* words, std::int64_t count) {
  return sum_words<Fetch::by_hardware>(words, count);
}

RETORT_MULTIVERSION
std::uint64_t sum_fetching_ahead(const std::uint64_t* words, std::int64_t count) {
  return sum_words<Fetch::ahead>(words, count);
}

double middle(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace

std::string name_of(const SpeedTest& test) {
  std::string name = test.prompt > 0 ? "pp" + std::to_string(test.prompt) : "tg" + std::to_string(test.generate);
  if (test.batch > 1) name += " x" + std::to_string(test.batch);
  if (test.depth > 0) name += " @ d" + std::to_string(test.depth);
  return name;
}

double Speed::median() const {
  return samples.empty() ? 0 : middle(samples);
}

double Speed::mean() const {
  return samples.empty() ? 0
                         : std::accumulate(samples.begin(), samples.end(), 0.0) / static_cast<double>(samples.size());
}

double Speed::deviation() const {
  if (samples.size() < 2) return 0;
  const double center = mean();
  double squares = 0;
  for (const double sample : samples) squares += (sample - center) * (sample - center);
  return std::sqrt(squares / static_cast<double>(samples.size() - 1));
}

Speed measure(Decoder& decoder, const SpeedTest& test, std::int64_t repetitions, const std::function<bool()>& go_on) {
  const std::int64_t timed = test.prompt > 0 ? test.prompt : test.generate;
  const std::vector<TokenId> tokens = random_tokens(test.depth + timed, decoder.config().vocabulary_size);
  Speed speed;
  for (std::int64_t i = 0; i <= repetitions && (!go_on || go_on()); ++i) {
    const double tokens_per_second = run_once(decoder, test, tokens);
    if (i > 0) speed.samples.push_back(tokens_per_second);
  }
  return speed;
}

double read_bandwidth(std::int64_t threads, std::int64_t passes) {
  const std::int64_t cache = std::max<std::int64_t>(0, sysconf(_SC_LEVEL3_CACHE_SIZE));
  const std::int64_t bytes = std::max<std::int64_t>(std::int64_t{512} << 20, 4 * cache);
  PackedMemory memory;
  auto* const words = reinterpret_cast<std::uint64_t*>(memory.take(bytes));
  memory.prefer_huge_pages();
  const std::int64_t count = bytes / static_cast<std::int64_t>(sizeof(std::uint64_t));
  const ThreadCountScope scope(threads);
  const std::int64_t part = count / threads;
  std::vector<std::uint64_t> sums(static_cast<std::size_t>(threads));
  parallel_for(threads, count, [&](std::int64_t i, std::int64_t) {
    std::uint64_t* own = words + i * part;
    std::fill(own, own + part, 1U);  // pages of its own, not the shared page of zeros
    sums[static_cast<std::size_t>(i)] += sum_by_hardware(own, part);
  });
  const auto rate_of = [&](const auto& sum_of) {
    const Clock::time_point start = Clock::now();
    parallel_for(threads, count, [&](std::int64_t i, std::int64_t) {
      sums[static_cast<std::size_t>(i)] += sum_of(words + i * part, part);
    });
    return static_cast<double>(part * threads * 8) / seconds_since(start);
  };
  std::vector<double> by_hardware, ahead;
  for (std::int64_t pass = 0; pass < passes; ++pass) {
    by_hardware.push_back(rate_of(sum_by_hardware));
    ahead.push_back(rate_of(sum_fetching_ahead));
  }
  // The sum is known, which keeps the reads from being optimised away.
  const auto expected = static_cast<std::uint64_t>((2 * passes + 1) * part);
  const bool right = std::all_of(sums.begin(), sums.end(), [expected](std::uint64_t sum) { return sum == expected; });
  return right && passes > 0 ? std::max(middle(by_hardware), middle(ahead)) : 0;
}

std::int64_t weight_bytes_per_token(const model::ModelFolder& folder) {
  const std::int64_t all = folder.weight_bytes();
  if (folder.config().tie_word_embeddings) return all;
  const model::LinearWeight embedding = folder.linear("model.embed_tokens");
  const std::size_t scales = embedding.scale != nullptr ? embedding.scale->bytes() : 0;
  return all - static_cast<std::int64_t>(embedding.weight->bytes() + scales);
}

}  // namespace retort::runtime
