#include "train/same_work.h"

#include "host/base/files.h"

namespace retort::train {
namespace {

nlohmann::json to_json(const TrainingOptions& options) {
  return {{"optimizer", options.optimizer},
          {"learning_rate", options.learning_rate},
          {"weight_decay", options.weight_decay},
          {"schedule", options.schedule},
          {"warmup_fraction", options.warmup_fraction},
          {"decay_fraction", options.decay_fraction},
          {"final_fraction", options.final_fraction},
          {"gradient_clip", options.gradient_clip},
          {"average_decay", options.average_decay},
          {"dropout", options.dropout},
          {"batch_size", options.batch_size},
          {"epochs", options.epochs},
          {"steps", options.steps},
          {"max_rejected_share", options.max_rejected_share},
          {"packing", options.packing},
          {"precision", options.precision}};
}

std::string hash_of(const std::filesystem::path& file) {
  constexpr std::size_t shown = 16;
  return std::filesystem::exists(file) ? host::sha256_of_file(file).substr(0, shown) : "missing";
}

}  // namespace

void expect_same_work(const Processes& processes, const std::string& kind, const TrainingJob& job,
                      const std::vector<std::optional<std::filesystem::path>>& models) {
  if (processes.alone()) return;
  nlohmann::json work = to_json(job.training);
  work["training"] = kind;
  work["seed"] = job.seed;
  for (const char* file : {"train.jsonl", "validation.jsonl", "tools.json"})
    work["sha256 of the data set's " + std::string(file)] = hash_of(job.dataset / file);
  for (std::size_t i = 0; i < models.size(); ++i)
    work["sha256 of model " + std::to_string(i + 1)] =
        models[i] ? hash_of(*models[i] / "model.safetensors") : std::string("none");
  processes.expect_alike(work, "give all the same config and data");
}

}  // namespace retort::train
