// See speed.h.
#include "runtime/measure/speed.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <random>

#include "runtime/linear/matmul.h"

namespace retort::runtime {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// What is fed, and where a model reads prompts in both directions the end of one within what comes first, and within
/// the longest pass.
std::vector<TokenId> random_tokens(const SpeedTest& test, const model::ModelConfig& config) {
  std::mt19937 random(1);
  std::uniform_int_distribution<TokenId> any(0, static_cast<TokenId>(config.vocabulary_size - 1));
  std::vector<TokenId> tokens(static_cast<std::size_t>(test.depth + (test.prompt > 0 ? test.prompt : test.generate)));
  for (TokenId& token : tokens) token = any(random);
  if (config.prompt_end_token < 0) return tokens;
  const std::int64_t first = test.depth > 0 ? test.depth : std::max<std::int64_t>(test.prompt, 1);
  tokens[static_cast<std::size_t>(std::min(first, kRowBuckets.back()) - 1)] =
      static_cast<TokenId>(config.prompt_end_token);
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
  const std::vector<TokenId> tokens = random_tokens(test, decoder.config());
  Speed speed;
  for (std::int64_t i = 0; i <= repetitions && (!go_on || go_on()); ++i) {
    const double tokens_per_second = run_once(decoder, test, tokens);
    if (i > 0) speed.samples.push_back(tokens_per_second);
  }
  return speed;
}

std::int64_t weight_bytes_per_token(const model::ModelFolder& folder) {
  const std::int64_t all = folder.weight_bytes();
  if (folder.config().tie_word_embeddings) return all;
  const model::LinearWeight embedding = folder.linear("model.embed_tokens");
  const std::size_t scales = embedding.scale != nullptr ? embedding.scale->bytes() : 0;
  return all - static_cast<std::int64_t>(embedding.weight->bytes() + scales);
}

}  // namespace retort::runtime
