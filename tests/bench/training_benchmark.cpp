// One training step of a model of known shape, for tests/bench/train.py, which has it and PyTorch take steps in turn.
// Usage: bench_training SHAPE PRECISION THREADS FOLDER
//   SHAPE: "7m" or "135m"; PRECISION: "f32" or "bf16". Writes the weights that it starts from to FOLDER (shape.json,
//   weights.bin: f32, in the order of shape.json), says {"ready": …}, and then, for every line on standard input, makes
//   one step as stage.sft does (forward, loss, backward, clip, AdamW) and says {"loss": …, "seconds": …, "cpu":
//   seconds}.
#include <time.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>

#include "model/model_folder.h"
#include "train/batch_rows.h"
#include "train/data_parallel.h"
#include "train/decoder_module.h"
#include "train/row_chunks.h"
#include "train/trainer.h"

namespace {

using namespace retort;

struct Done {};

struct Shape {
  model::ModelConfig config;
  std::int64_t batch = 0, tokens = 0;  ///< sequences, and tokens of each
};

Shape shape_of(const std::string& name) {
  Shape shape;
  model::ModelConfig& config = shape.config;
  if (name == "7m") {
    shape.batch = 32;
    shape.tokens = 64;
    config.vocabulary_size = 2048;
    config.hidden_size = 320;
    config.layers = 5;
    config.heads = config.kv_heads = 5;
    config.intermediate_size = 864;
  } else if (name == "135m") {  // SmolLM2-135M
    shape.batch = 8;
    shape.tokens = 64;
    config.vocabulary_size = 49152;
    config.hidden_size = 576;
    config.layers = 30;
    config.heads = 9;
    config.kv_heads = 3;
    config.intermediate_size = 1536;
  } else {
    throw std::invalid_argument("shape: expected \"7m\" or \"135m\", found \"" + name + "\"");
  }
  config.head_dim = 64;
  config.max_positions = 256;
  config.rope_theta = 10000;
  config.rms_norm_epsilon = 1e-5;
  config.tie_word_embeddings = true;
  return shape;
}

void write_start(const std::filesystem::path& folder, const Shape& shape, const train::DecoderModule& decoder) {
  std::filesystem::create_directories(folder);
  const model::ModelConfig& config = shape.config;
  nlohmann::json json = {{"vocabulary", config.vocabulary_size},
                         {"hidden", config.hidden_size},
                         {"layers", config.layers},
                         {"heads", config.heads},
                         {"kv_heads", config.kv_heads},
                         {"head_dim", config.head_dim},
                         {"feed_forward", config.intermediate_size},
                         {"theta", config.rope_theta},
                         {"epsilon", config.rms_norm_epsilon},
                         {"batch", shape.batch},
                         {"tokens", shape.tokens}};
  std::ofstream bytes(folder / "weights.bin", std::ios::binary);
  for (const auto& [name, weight] : decoder.weights()) {
    json["weights"].push_back({name, weight.sizes().vec()});
    const torch::Tensor plain = weight.detach().contiguous();
    bytes.write(static_cast<const char*>(plain.const_data_ptr()), static_cast<std::streamsize>(plain.nbytes()));
  }
  std::ofstream(folder / "shape.json") << json.dump(1) << '\n';
}

/// Of this process, all threads.
double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

/// Token t of sequence b; train.py's peer has the same formula.
std::vector<train::Sequence> batch_of(const Shape& shape) {
  std::vector<train::Sequence> all;
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    train::Sequence sequence;
    for (std::int64_t t = 0; t < shape.tokens; ++t)
      sequence.response.push_back(
          static_cast<text::TokenId>((b * 131 + t * 17 + b * t * 7) % shape.config.vocabulary_size));
    all.push_back(std::move(sequence));
  }
  return all;
}

/// As stage.sft's.
torch::Tensor summed_loss(train::DecoderModule& decoder, const train::BatchRows& rows) {
  const torch::Tensor hidden =
      decoder.hidden(rows.ids).reshape({-1, decoder.config().hidden_size}).index_select(0, rows.index);
  return train::summed_by_chunks({hidden}, {decoder.weight("model.embed_tokens.weight")},
                                 train::logit_chunks(hidden.size(0), decoder.config().vocabulary_size),
                                 [&](std::int64_t begin, std::int64_t count, const std::vector<torch::Tensor>& by_row) {
                                   return torch::cross_entropy_loss(decoder.logits(by_row[0]),
                                                                    rows.labels.narrow(0, begin, count), {},
                                                                    at::Reduction::Sum);
                                 });
}

void serve(const Shape& shape, const std::string& precision, std::int64_t threads,
           const std::filesystem::path& folder) {
  train::DecoderModule decoder(shape.config, 1);
  write_start(folder, shape, decoder);
  const std::vector<train::Sequence> sequences = batch_of(shape);
  std::vector<std::size_t> batch(sequences.size());
  std::iota(batch.begin(), batch.end(), std::size_t{0});
  const double labels = static_cast<double>(shape.batch * (shape.tokens - 1));

  train::TrainingOptions options;
  options.learning_rate = 1e-4;
  options.schedule = "constant";
  options.warmup_fraction = 0;
  options.checkpoint_steps = 0;
  std::chrono::steady_clock::time_point begin;
  double loss = 0, cpu_begin = 0;
  const train::RunHooks hooks{
      [&](std::string_view name, std::int64_t, double value) { loss = name == "loss" ? value : loss; },
      [&](std::string_view, std::int64_t, std::int64_t, std::string_view) {
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
        std::cout << nlohmann::json{{"loss", loss}, {"seconds", seconds}, {"cpu", cpu_seconds() - cpu_begin}}.dump()
                  << std::endl;
      },
      [] {}, [](std::string_view) {}};
  const train::ParameterGroups groups({train::decoder_group(decoder)});
  train::Trainer trainer(groups, options, 1'000'000, 1, folder / "work", hooks);
  train::DataParallel parallel(groups, threads);
  std::cout << nlohmann::json{{"ready", shape.config.parameters()}}.dump() << std::endl;
  trainer.run("bench", [&](std::int64_t) {
    std::string line;
    if (!std::getline(std::cin, line)) throw Done();
    begin = std::chrono::steady_clock::now();
    cpu_begin = cpu_seconds();
    const auto parts = parallel.parts(batch, 0);
    return parallel.accumulate(parts.size(), [&](std::size_t part) {
      const train::BatchRows rows = train::batch_rows(sequences, parts[part]);
      const train::MixedPrecision mixed(precision);
      return summed_loss(decoder, rows) / labels;
    });
  });
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 5) {
    std::fprintf(stderr, "usage: bench_training SHAPE PRECISION THREADS FOLDER\n");
    return 2;
  }
  const std::int64_t threads = std::atoll(arguments[3]);
  train::use_threads(threads);
  try {
    serve(shape_of(arguments[1]), arguments[2], threads, arguments[4]);
  } catch (const Done&) {
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_training: %s\n", error.what());
    return 1;
  }
  return 0;
}
