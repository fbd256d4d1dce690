// A small model with a task and calibration data, for the tests of the compression stages' jobs.
#pragma once

#include <gtest/gtest.h>
#include <retort/abi/plugin.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "host/base/files.h"
#include "host/base/json.h"
#include "model/model_folder.h"
#include "runtime/markov_model.h"
#include "runtime/random_model.h"
#include "task/dataset.h"
#include "text/tokenizer.h"
#include "train/hooks.h"

namespace retort::train {

class CompressionJobTest : public ::testing::Test {
 protected:
  /// D 64, F 128, L 3, H 4, K 2, head_dim 16: a task, a tokenizer, random weights, and six labelled utterances.
  void write_model(const std::string& architecture = "Qwen2ForCausalLM", bool tied = true) {
    runtime::testing::write_markov_model(model_, {});
    config_.architecture = architecture;
    config_.vocabulary_size = model::ModelFolder(model_).config().vocabulary_size;
    config_.hidden_size = 64;
    config_.intermediate_size = 128;
    config_.layers = 3;
    config_.heads = 4;
    config_.kv_heads = 2;
    config_.head_dim = 16;
    config_.max_positions = 64;
    config_.input_bias = architecture == "Qwen2ForCausalLM";
    config_.query_key_norm = architecture == "Qwen3ForCausalLM";
    config_.tie_word_embeddings = tied;
    weights_ = runtime::testing::random_weights(config_, 3);
    runtime::testing::write_model(model_, config_, weights_, runtime::testing::Storage::f32);
    std::vector<task::Example> examples;
    for (const char* room : {"kitchen", "hall", "bath"})
      for (const char* state : {"on", "off"})
        examples.push_back({"turn the light " + std::string(state) + " in the " + room,
                            std::vector<task::Call>{{"light_set", {{"room", room}, {"state", state}}}},
                            nlohmann::json::object()});
    std::filesystem::create_directories(dataset_);
    task::write_split(dataset_ / "train.jsonl", examples);
    std::filesystem::create_directories(output_);
  }

  RunHooks hooks() {
    return {[this](std::string_view name, std::int64_t step, double value) {
              if (step < 0)
                figures_[std::string(name)] = value;
              else
                lines_[std::string(name)].push_back(value);
            },
            [](std::string_view, std::int64_t, std::int64_t, std::string_view) {}, [] {},
            [this](std::string_view message) { log_.emplace_back(message); }};
  }

  template <typename Table>
  static retort_bound_component bound(const char* id, void* instance, const Table& functions) {
    return {sizeof(retort_bound_component),
            0,
            {"algorithm", 9},
            {id, std::string_view(id).size()},
            reinterpret_cast<retort_instance*>(instance),
            &functions};
  }
  /// What `body` throws, or "".
  template <typename Body>
  static std::string message_of(const Body& body) {
    try {
      body();
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  }

  runtime::testing::TemporaryFolder root_;
  std::filesystem::path model_ = root_.path() / "model", dataset_ = root_.path() / "dataset",
                        output_ = root_.path() / "output";
  model::ModelConfig config_;
  runtime::testing::Weights weights_;
  std::map<std::string, double> figures_;
  std::map<std::string, std::vector<double>> lines_;
  std::vector<std::string> log_;
};

}  // namespace retort::train
