// The workbench of a real search: core/train cuts, recovers and quantises, the runtime measures. Models between the
// steps stand in the stage's work folder. No LibTorch.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <retort/stage.hpp>
#include <string>
#include <vector>

#include "runtime/measure/evaluation.h"
#include "search.h"
#include "train/recovery.h"
#include "train/storage_plan.h"

namespace retort::search {

struct BenchOptions {
  std::filesystem::path dataset, model, teacher, work;
  std::vector<std::int64_t> rungs;  ///< optimiser steps of each
  train::RecoveryOptions recovery;  ///< its steps are the rung's
  bool embedding = true, head = true;
  double max_rejected_share = 0.01;
  std::vector<runtime::LabelledUtterance> rows;  ///< what is answered
  std::int64_t inference_threads = 1;
};

class TrainingBench : public Workbench {
 public:
  /// Slots of the context: "width", "depth", "vocabulary", "quantizers", "loss".
  TrainingBench(const StageContext& context, BenchOptions options);
  /// What the teacher comes to on the rows. Measured once, before all else.
  Figures teacher();

  void cut(const Shape& shape) override;
  std::optional<std::int64_t> bytes(const Shape& shape, const Storage& storage) override;
  Figures proxies(const Shape& shape, const Storage& storage) override;
  void recover(const Shape& shape, std::size_t rung) override;
  Figures measure(const Shape& shape, std::size_t rung, const Storage& storage) override;
  /// The candidate at its last rung, as stage.quantize would write it.
  train::ModelSize write(const Candidate& candidate, const std::filesystem::path& output);

 private:
  std::filesystem::path folder_of(const Shape& shape) const;
  std::filesystem::path cut_folder(const Shape& shape) const;
  std::filesystem::path float_model(const Shape& shape, std::int64_t rung) const;
  bool learns(const Shape& shape) const;
  void cut_once(const std::string& slot, const nlohmann::json& parameters, const std::filesystem::path& from,
                const std::filesystem::path& to);
  train::StorageOptions storage_options(const Storage& storage) const;
  retort_bound_component quantizer_of(const Shape& shape, std::int64_t rung, const Storage& storage);
  train::ModelSize quantise(const Shape& shape, std::int64_t rung, const Storage& storage,
                            const std::filesystem::path& output);
  /// Of the cut (rung −1) or of what a rung left, as it is stored; without `answers` milliseconds are estimated and
  /// there is no exact match.
  Figures stored(const Shape& shape, std::int64_t rung, const Storage& storage, bool answers);
  train::RunHooks hooks_of(const std::string& what) const;

  const StageContext& context_;
  BenchOptions options_;
  double overhead_ = 1;  ///< what a whole call takes over prefill and decode of the right answer
};

}  // namespace retort::search
