// A handful of labelled utterances, a job that trains a tiny model on them, and what it reports.
#pragma once

#include <filesystem>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/base/json.h"
#include "runtime/random_model.h"
#include "task/dataset.h"
#include "train/fine_tuning.h"

namespace retort::train::testing {

namespace fs = std::filesystem;
using runtime::testing::TemporaryFolder;

struct Stop : std::runtime_error {
  Stop() : std::runtime_error("stopped by the test") {}
};

/// Records metrics; throws Stop before step `stop_before`.
struct LossRecorder {
  std::vector<double> losses;
  std::map<std::string, std::map<std::int64_t, double>> metrics;
  std::int64_t stop_before = -1, step = 0;
  RunHooks hooks() {
    return {[this](std::string_view name, std::int64_t at, double value) {
              metrics[std::string(name)][at] = value;
              if (name != "loss") return;
              losses.push_back(value);
              step = at + 1;
            },
            [](std::string_view, std::int64_t, std::int64_t, std::string_view) {},
            [this] {
              if (step == stop_before) throw Stop();
            },
            [](std::string_view) {}};
  }
};

inline void write_dataset(const fs::path& folder) {
  const nlohmann::json schema = {{"type", "object"},
                                 {"properties", {{"room", {{"type", "string"}}}, {"level", {{"type", "integer"}}}}}};
  const nlohmann::json tools = {
      {{"type", "function"}, {"function", {{"name", "dim"}, {"description", "dims"}, {"parameters", schema}}}}};
  host::write_json(folder / "tools.json", tools);
  std::vector<task::Example> examples;
  for (const char* room : {"kitchen", "hall", "garage", "bath"})
    for (int level = 10; level <= 90; level += 20)
      examples.push_back({"dim the " + std::string(room) + " to " + std::to_string(level),
                          std::vector<task::Call>{{"dim", {{"room", room}, {"level", level}}}},
                          nlohmann::json::object()});
  task::write_split(folder / "train.jsonl", examples);
}

/// A few steps of a tiny model; its folders are made below `folder`.
inline FineTuningJob small_job(const fs::path& dataset, const fs::path& folder) {
  FineTuningJob job;
  job.dataset = dataset;
  job.model = {.vocabulary_size = 300,
               .hidden_size = 32,
               .layers = 2,
               .heads = 4,
               .kv_heads = 2,
               .intermediate_size = 48,
               .max_positions = 64};
  job.training.batch_size = 8;
  job.training.steps = 6;
  job.training.checkpoint_steps = 2;
  job.training.average_decay = 0.9;
  job.training.dropout = 0.1;
  job.seed = 5;
  job.output = folder / "output";
  job.work = folder / "work";
  fs::create_directories(job.output);
  fs::create_directories(job.work);
  return job;
}

struct Workplace {
  TemporaryFolder root;
  fs::path dataset = root.path() / "dataset";
  Workplace() {
    fs::create_directories(dataset);
    write_dataset(dataset);
  }
  FineTuningJob job(const std::string& name) const { return small_job(dataset, root.path() / name); }
};

}  // namespace retort::train::testing
