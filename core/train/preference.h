// Learning from preferences: pairs of answers from data, or the best and the worst of several samples that a reward
// scored. No LibTorch in this header.
#pragma once

#include <filesystem>
#include <vector>

#include "host/algorithm/preference_call.h"
#include "train/answers.h"
#include "train/fine_tuning.h"

namespace retort::train {

/// How pairs are made where the data has none: every labelled prompt is answered `count` times by the model that
/// training starts from.
struct PreferenceSamples {
  RewardFunction reward;
  std::vector<double> reward_weights;  ///< of the named scores; empty: the first alone
  std::int64_t count = 8;              ///< at least 2
  double temperature = 1;              ///< above 0
  std::int64_t max_new_tokens = 64;
  double margin = 0;  ///< the best score must exceed the worst by more
};

/// `training.batch_size` counts pairs (sequences where the loss takes them unpaired).
struct PreferenceJob : TrainingJob {
  std::filesystem::path policy;  ///< model folder to start from; also the frozen reference where one is asked for
  std::vector<host::PreferenceCall> algorithm;  ///< at least one instance; as many as threads are to compute its loss
  std::optional<PreferenceSamples> samples;     ///< nothing: train.jsonl holds preferences (preference_data.h)
  std::int64_t validation_steps = 10;           ///< optimiser steps between validations
};

/// Log-probabilities are sums over a response's tokens at temperature 1. The loss of a step is divided by the weight of
/// its pairs. Throws std::invalid_argument for data that cannot be trained on, std::runtime_error for divergence and
/// files, and where sampling gives no pair.
ModelSize learn_preferences(const PreferenceJob& job, const RunHooks& hooks);

}  // namespace retort::train
