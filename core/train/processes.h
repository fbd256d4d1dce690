// Several processes that train one model: each takes its share of every batch, gradients are summed by LibTorch's c10d:
// those on GPUs by NCCL where it was built with that, all else by Gloo between CPUs. Started by anything that sets
// RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT: torchrun, mpirun, Slurm. Internal to core/train.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "train/libtorch.h"

namespace retort::train {

/// Another process of the training has ended, or does not answer.
struct ProcessGone : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// [begin, end) of what several processes do together.
struct Share {
  std::size_t begin = 0, end = 0;
};

class Processes {
 public:
  /// The processes of this training; one where the environment names none. Made with the first call, which waits until
  /// all are there (a minute). Throws std::invalid_argument for an environment that says only half of it,
  /// std::runtime_error where the others cannot be reached, or where this build has no Gloo.
  static const Processes& of_environment();

  std::int64_t rank() const { return rank_; }
  std::int64_t size() const { return size_; }
  bool alone() const { return size_ == 1; }

  /// This process's part of `count` things in order, in shares that differ by one at most. May be empty.
  Share share(std::size_t count) const;
  /// Likewise of a batch.
  std::span<const std::size_t> share(const std::vector<std::size_t>& batch) const;
  /// The number of part `part` of this process among those of all: for what is random in a part.
  std::size_t part(std::size_t part) const { return part + (static_cast<std::size_t>(rank_) << 12U); }
  /// What every process says, in the order of their ranks, the same for all. All call it, like the functions below, in
  /// the same order; they throw ProcessGone.
  std::vector<nlohmann::json> gather(const nlohmann::json& own) const;
  /// Sums metrics by name; a process may lack some.
  std::map<std::string, double> sum(const std::map<std::string, double>& own) const;
  /// Throws std::runtime_error in every process where their flat objects differ, with each difference and
  /// `what_to_do`.
  void expect_alike(const nlohmann::json& own, const std::string& what_to_do) const;
  /// Whether any process says so.
  bool any(bool own) const;
  /// How sum_gradients() carries what is on `device`, for people.
  static std::string carrier(torch::Device device);
  /// Sums the gradients of `weights` (all on one device) over all processes, where any of them has one, and `loss`;
  /// every process gets the same bits. Returns the sum of losses. Throws std::runtime_error where the others are at
  /// another `step`.
  double sum_gradients(const std::vector<torch::Tensor>& weights, double loss, std::int64_t step) const;

  ~Processes();
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

 private:
  struct Group;
  Processes();
  std::int64_t rank_ = 0, size_ = 1;
  std::unique_ptr<Group> group_;
};

}  // namespace retort::train
