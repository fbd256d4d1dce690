// What the loop tests of policy gradient and preferences share: a tiny model that knows a task, a dataset, algorithms
// that are function tables of the test and remember what they were shown, and the slow form of what must come out.
#pragma once

#include <retort/abi/preference.h>
#include <retort/abi/rl.h>
#include <torch/types.h>

#include <deque>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/random_model.h"
#include "train/fine_tuning.h"
#include "train/hooks.h"
#include "train/model_weights.h"
#include "train/policy_gradient.h"
#include "train/sequences.h"

namespace retort::train::testing {

namespace fs = std::filesystem;

struct Stop : std::runtime_error {
  Stop() : std::runtime_error("stopped by the test") {}
};

/// Remembers metrics; throws Stop where it is asked whether to stop before optimiser step `stop_before`, or as soon as
/// step `kill_after` is reported.
struct Recorder {
  std::map<std::string, std::vector<double>> metrics;
  std::int64_t stop_before = -1, kill_after = -1, step = 0;
  RunHooks hooks();
};

/// A dataset of 20 utterances for the tool "dim", and a random model of 2 layers that knows it.
class Workplace {
 public:
  Workplace();
  /// One that is there already: another process made it.
  explicit Workplace(const fs::path& folder);
  const fs::path& folder() const { return folder_; }
  const fs::path& dataset() const { return dataset_; }
  const fs::path& policy() const { return policy_; }
  /// Two prompts a step of `steps`, no warm-up, decay, clipping or validation.
  template <typename Job>
  Job job(const std::string& name, std::int64_t steps) const {
    Job job;
    fill(job, name, steps);
    job.policy = policy_;
    return job;
  }
  std::string bytes_of(const TrainingJob& job) const;  ///< of the weights that it wrote

 private:
  void fill(TrainingJob& job, const std::string& name, std::int64_t steps) const;
  runtime::testing::TemporaryFolder root_;
  fs::path folder_, dataset_, policy_;
};

/// A tensor that crossed the ABI, row after row; empty for NULL.
std::vector<float> floats_of(const retort_tensor* tensor);
std::vector<std::int64_t> integers_of(const retort_tensor* tensor);
std::vector<std::int64_t> shape_of(const retort_tensor* tensor);
void write(const retort_tensor* tensor, const std::vector<float>& values);

/// What one call saw.
struct SeenRl {
  std::map<std::string, std::vector<float>> tensors;  ///< by the ABI's field name; absent for NULL
  std::vector<std::int64_t> rows, groups;
  std::int64_t positions = 0;  ///< T
  retort_rl_batch batch{};     ///< for its numbers only
};

/// A policy-gradient algorithm: advantages are the rewards, and the loss is −Σ ratio·A / tokens, plus half the square
/// of value − `constant_return` over tokens where values are asked for.
struct FakeRl {
  retort_rl_requirements wanted{sizeof(retort_rl_requirements), 0, 0, 1, 1, 1, 0};
  std::vector<float> keep;  ///< empty: all
  bool drop_equal = false;  ///< keeps groups whose rewards differ alone
  double constant_return = 0;
  std::mutex mutex;
  std::vector<SeenRl> advantages, losses;
  host::RlCall call();
};

/// log_softmax of the model's logits at each response token, one position after the other in double: the slow form.
std::vector<double> reference_log_probs(const fs::path& model, const Sequence& sequence, double temperature);

/// The weights of two model folders under one name each.
struct Weights {
  std::map<std::string, torch::Tensor> before, after;
  Weights(const fs::path& old_folder, const fs::path& new_folder);
};

/// Expects what AdamW's first step does: every weight moves by `rate` against the sign of its gradient. `loss` is
/// computed on the decoder of `old_folder`. Gradients below `least` are left out.
void expect_first_step(const fs::path& old_folder, const fs::path& new_folder, double rate,
                       const std::function<torch::Tensor(DecoderModule&)>& loss);

/// The slow form for autograd: [T] log-probabilities of the response's tokens.
torch::Tensor response_log_probs(DecoderModule& decoder, const Sequence& sequence, double temperature);

}  // namespace retort::train::testing
