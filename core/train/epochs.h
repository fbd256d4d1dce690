// Steps of a run as batches of epochs, and the check on held-out utterances. Internal to core/train.
#pragma once

#include <cmath>
#include <vector>

#include "train/sequences.h"
#include "train/training_options.h"

namespace retort::train {

/// Which sequences step `n` sees, for a run that may start at any step. Plans an epoch when it is first asked for.
class EpochBatches {
 public:
  EpochBatches(const std::vector<Sequence>& sequences, const TrainingOptions& options, std::uint64_t seed)
      : options_(options), seed_(seed) {
    for (const Sequence& sequence : sequences) lengths_.push_back(sequence.length());
    steps_per_epoch_ = static_cast<std::int64_t>((lengths_.size() + static_cast<std::size_t>(options.batch_size) - 1) /
                                                 static_cast<std::size_t>(options.batch_size));
  }
  std::int64_t steps_per_epoch() const { return steps_per_epoch_; }
  std::int64_t total_steps() const {
    if (options_.steps > 0) return options_.steps;
    return std::max<std::int64_t>(
        1, static_cast<std::int64_t>(std::llround(options_.epochs * static_cast<double>(steps_per_epoch_))));
  }
  const std::vector<std::size_t>& at(std::int64_t step) {
    const std::int64_t epoch = step / steps_per_epoch_;
    if (epoch != epoch_) {
      plan_ = batch_plan(lengths_, options_.batch_size, seed_, epoch);
      epoch_ = epoch;
    }
    return plan_[static_cast<std::size_t>(step % steps_per_epoch_)];
  }
  bool ends_epoch(std::int64_t step) const { return (step + 1) % steps_per_epoch_ == 0 || step + 1 == total_steps(); }

 private:
  TrainingOptions options_;
  std::uint64_t seed_;
  std::vector<std::size_t> lengths_;
  std::int64_t steps_per_epoch_ = 1, epoch_ = -1;
  std::vector<std::vector<std::size_t>> plan_;
};

}  // namespace retort::train
