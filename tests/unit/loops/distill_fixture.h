// What the tests of the distillation loop share: a loss that is a function table of the test and remembers what it was
// shown, and the slow form of the rows that it must be shown.
#pragma once

#include <retort/abi/distill.h>

#include <atomic>
#include <deque>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "policy_fixture.h"
#include "train/distillation.h"

namespace retort::train::testing {

/// What one call of loss() saw.
struct SeenDistill {
  std::map<std::string, std::vector<float>> floats;           ///< by the ABI's field name; absent for NULL
  std::map<std::string, std::vector<std::int64_t>> integers;  ///< likewise
  retort_distill_batch batch{};                               ///< for its numbers only
};

/// Forward KL to the teachers by their weights; with `projection` also half the squared distance between the student's
/// first declared state times the trained matrix "projection" [D_student,D_teacher] and the first teacher's.
struct FakeDistill {
  std::uint64_t signals = RETORT_SIGNAL_TEACHER_LOGITS;
  std::uint32_t flags = 0;
  std::int64_t top_k = 0;
  double on_policy_fraction = 0;
  std::vector<std::int64_t> student_layers, teacher_layers;
  bool projection = false;
  // What can be wrong with it:
  double logits_scale = 1, parameter_scale = 1;  ///< of the gradients: 1 is right
  bool leaves_unwritten = false, ignores_second_teacher = false, mean_instead_of_sum = false;

  std::vector<SeenDistill> seen;
  std::atomic<int> inside{0};
  std::atomic<bool> met_another_thread{false};

  DistillPlugin plugin();
  static const retort_distill_v1& table();

  // Where requirements() points.
  std::vector<std::int64_t> parameter_shape;
  retort_trained_parameter parameter{};
};

struct DistillLoopJob : DistillationJob {
  std::filesystem::path policy;  ///< what Workplace::job sets: the student's folder too
};

/// `steps` steps from the workplace's model as the student, with `teacher`'s distributions.
DistillLoopJob distill_job(const Workplace& place, const std::string& name, std::int64_t steps,
                           const std::filesystem::path& teacher, FakeDistill& loss);

/// Runs the job; its losses.
std::vector<double> distil(const DistillLoopJob& job);

/// The largest |a − b|; infinite where the sizes differ.
double distance(const std::vector<float>& a, const std::vector<float>& b);

/// A model like the workplace's, a few steps of training further.
std::filesystem::path trained_teacher(const Workplace& place, const std::string& name, std::int64_t steps);

/// One row that a step must have.
struct ExpectedRow {
  std::int64_t sequence, position, length, label;
  float mask;
  std::vector<std::int64_t> prefix;  ///< the tokens that it is computed from
};

/// The rows of step `step` of a job, from the data set on, one token after the other.
std::vector<ExpectedRow> expected_rows(const DistillLoopJob& job, std::int64_t step);

/// [V] logits after `prefix`, one sequence alone.
std::vector<float> logits_after(const std::filesystem::path& model, const std::vector<std::int64_t>& prefix);
/// [D] the output of layer `layer` at the last token of `prefix`; layer L is what comes after the final norm.
std::vector<float> state_after(const std::filesystem::path& model, const std::vector<std::int64_t>& prefix,
                               std::int64_t layer);

}  // namespace retort::train::testing
