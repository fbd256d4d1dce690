// Speed of encoding and decoding English text, on one thread: the test part of wikitext-2, a paragraph per call, as
// documents come. Bytes per second are of UTF-8 text. Vocabularies are read from $RETORT_SHARED; without it a benchmark
// reports an error.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "host/base/files.h"
#include "host/base/json.h"
#include "text/llama2c_tokenizer.h"
#include "text/regex.h"
#include "text/shared_patterns.h"
#include "text/tokenizer.h"

namespace retort::text {
namespace {

using Json = nlohmann::json;

std::filesystem::path shared_data(const char* name) {
  const char* folder = std::getenv("RETORT_SHARED");
  return std::filesystem::path(folder != nullptr ? folder : RETORT_SHARED_DEFAULT) / "data" / name;
}

Tokenizer gpt2() {
  const auto folder = shared_data("tokenizer-gpt2");
  std::istringstream lines(host::read_file(folder / "vocab.bpe"));
  Json merges = Json::array();
  for (std::string line; std::getline(lines, line);)
    if (!line.empty() && !line.starts_with("#version")) merges.push_back(line);
  const Json byte_level = {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", true}};
  const Json json = {
      {"pre_tokenizer", byte_level},
      {"decoder", byte_level},
      {"model", {{"type", "BPE"}, {"vocab", host::read_json(folder / "encoder.json")}, {"merges", merges}}}};
  return Tokenizer::parse(json.dump(), "gpt2");
}

Tokenizer qwen() {
  return Tokenizer::load(shared_data("tokenizer-qwen3"));
}

Tokenizer llama2() {
  return Tokenizer::parse(tokenizer_json_from_llama2c(shared_data("llama2-tokenizer") / "tokenizer.bin", 32000),
                          "llama2");
}

std::vector<std::string> paragraphs() {
  std::istringstream lines(host::read_file(shared_data("wikitext-2") / "test.txt"));
  std::vector<std::string> texts;
  for (std::string line; std::getline(lines, line);) texts.push_back(line);
  return texts;
}

std::int64_t size_of(const std::vector<std::string>& texts) {
  std::int64_t bytes = 0;
  for (const std::string& text : texts) bytes += static_cast<std::int64_t>(text.size());
  return bytes;
}

/// Runs `measure` unless the data is absent.
template <class Measure>
void with_data(benchmark::State& state, const Measure& measure) {
  try {
    measure();
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
  }
}

void encode(benchmark::State& state, Tokenizer (*load)()) {
  with_data(state, [&] {
    const std::vector<std::string> texts = paragraphs();
    const Tokenizer tokenizer = load();
    for (auto _ : state)
      for (const std::string& text : texts) benchmark::DoNotOptimize(tokenizer.encode(text));
    state.SetBytesProcessed(state.iterations() * size_of(texts));
  });
}

/// The first text that a tokenizer sees: nothing is known yet of what the merges build.
void encode_cold(benchmark::State& state, Tokenizer (*load)()) {
  with_data(state, [&] {
    const std::vector<std::string> texts = paragraphs();
    for (auto _ : state) {
      state.PauseTiming();
      const Tokenizer tokenizer = load();
      state.ResumeTiming();
      for (const std::string& text : texts) benchmark::DoNotOptimize(tokenizer.encode(text));
    }
    state.SetBytesProcessed(state.iterations() * size_of(texts));
  });
}

void decode(benchmark::State& state, Tokenizer (*load)()) {
  with_data(state, [&] {
    const std::vector<std::string> texts = paragraphs();
    const Tokenizer tokenizer = load();
    std::vector<std::vector<TokenId>> ids;
    for (const std::string& text : texts) ids.push_back(tokenizer.encode(text));
    for (auto _ : state)
      for (const auto& some : ids) benchmark::DoNotOptimize(tokenizer.decode(some));
    state.SetBytesProcessed(state.iterations() * size_of(texts));
  });
}

/// Cutting alone, by each engine.
void cut(benchmark::State& state, const char* pattern, Regex::Engine engine) {
  with_data(state, [&] {
    const std::vector<std::string> texts = paragraphs();
    const Regex regex(pattern, engine);
    for (auto _ : state)
      for (const std::string& text : texts) {
        Regex::Matches matches(regex, text);
        std::size_t count = 0;
        while (matches.next()) ++count;
        benchmark::DoNotOptimize(count);
      }
    state.SetBytesProcessed(state.iterations() * size_of(texts));
  });
}

BENCHMARK_CAPTURE(cut, gpt2_oniguruma, gpt2_pattern, Regex::Engine::oniguruma)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(cut, gpt2_pcre2, gpt2_pattern, Regex::Engine::pcre2)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(cut, qwen_oniguruma, qwen2_pattern, Regex::Engine::oniguruma)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(cut, qwen_pcre2, qwen2_pattern, Regex::Engine::pcre2)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, gpt2, gpt2)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, qwen, qwen)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, llama2, llama2)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode_cold, gpt2, gpt2)->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK_CAPTURE(encode_cold, qwen, qwen)->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK_CAPTURE(encode_cold, llama2, llama2)->Unit(benchmark::kMillisecond)->Iterations(3);
BENCHMARK_CAPTURE(decode, qwen, qwen)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decode, llama2, llama2)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace retort::text

BENCHMARK_MAIN();
