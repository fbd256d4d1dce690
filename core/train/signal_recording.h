// Asks a teacher model about every row of a data set once, and keeps its most likely tokens for recorded_signals.h. No
// LibTorch in this header.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "train/hooks.h"
#include "train/signal_file.h"

namespace retort::train {

struct SignalRecordingJob {
  std::filesystem::path dataset;     ///< whose train.jsonl is looked at
  std::filesystem::path teacher;     ///< model folder; its tokenizer and task make the rows
  std::int64_t top_k = 32;           ///< tokens kept at each place, at most the vocabulary
  double max_rejected_share = 0.01;  ///< of the rows that may be unusable; they are left out and counted
  std::int64_t threads = 1;          ///< of LibTorch's operations
  std::filesystem::path output;      ///< existing folder: signals.bin
  std::filesystem::path work;        ///< existing folder, where finished batches are kept
  // What changes speed and memory, and rounding.
  std::int64_t batch_size = 32;   ///< sequences a forward pass
  std::string precision = "f32";  ///< as TrainingOptions::precision
  std::string device = "cpu";     ///< as TrainingOptions::device
};

/// Batches that an earlier, killed call finished are not computed again, and the bytes written are the same as without
/// the kill. Rows of one hash are written once. Throws as a training job, and std::invalid_argument for a top_k or
/// batch_size below 1.
SignalAmount record_signals(const SignalRecordingJob& job, const RunHooks& hooks);

}  // namespace retort::train
