// How the host calls a distillation loss (retort.distill/1), in stages and in `plugins check` alike: what it is shown,
// and what is checked of its answers. N rows, V vocabulary, k kept teacher entries, Lh declared layers, D hidden, A
// teachers, P trained parameters.
#pragma once

#include <retort/abi/distill.h>

#include <cstdint>
#include <string>
#include <vector>

namespace retort::host {

/// Every signal that retort.distill/1 knows.
inline constexpr std::uint64_t distill_signals = RETORT_SIGNAL_TEACHER_LOGITS | RETORT_SIGNAL_TEACHER_TOP_K |
                                                 RETORT_SIGNAL_HIDDEN_STATES | RETORT_SIGNAL_LABELS |
                                                 RETORT_SIGNAL_TEACHER_SPANS;

struct DistillModelShape {
  std::int64_t layers = 0, hidden = 0, vocabulary = 0;
};

struct DistillSetup {
  DistillModelShape student;
  std::vector<DistillModelShape> teachers;  ///< [A], at least one
  std::int64_t total_steps = 1;
  std::uint64_t seed = 0;
};

struct DistillParameter {
  std::string name;
  std::vector<std::int64_t> shape;
};

/// What the loss asks for, in memory of the host's own.
struct DistillRequirements {
  std::uint32_t flags = 0;
  std::uint64_t signals = 0;
  std::int64_t top_k = 0;
  double on_policy_fraction = 0;
  /// Outputs to take, from 0 (layer 0's) to L-1, L being "after the final norm"; -1 and below are resolved where the
  /// setup is known, and as the component says them otherwise.
  std::vector<std::int64_t> student_layers;
  std::vector<std::vector<std::int64_t>> teacher_layers;  ///< [A]; one entry without a setup
  std::vector<DistillParameter> parameters;
  bool wants(std::uint64_t signal) const { return (signals & signal) != 0; }
  bool whole_sequences() const { return (flags & RETORT_DISTILL_WHOLE_SEQUENCES) != 0; }
};

/// Views of one teacher's signals; what the loss did not ask for may be NULL, and is not shown to it.
struct DistillTeacherView {
  double weight = 1;
  const retort_tensor* logits = nullptr;         ///< [N,V_teacher]
  const retort_tensor* top_ids = nullptr;        ///< [N,k] int64
  const retort_tensor* top_log_probs = nullptr;  ///< [N,k]
  const retort_tensor* tail_mass = nullptr;      ///< [N]
  std::vector<const retort_tensor*> hidden;      ///< [Lh] of [N,D_teacher]
  const retort_tensor* labels = nullptr;  ///< [N_teacher] int64, with TEACHER_SPANS, whose logits are [N_teacher,·]
  const retort_tensor* spans = nullptr;   ///< [M,4] int64 likewise
};

/// Views of some rows of a step; they live through the call.
struct DistillRows {
  bool on_policy = false;
  const retort_tensor* student_logits = nullptr;     ///< [N,V]
  std::vector<const retort_tensor*> student_hidden;  ///< [Lh] of [N,D_student]
  std::vector<DistillTeacherView> teachers;          ///< [A]
  const retort_tensor *labels = nullptr, *mask = nullptr, *sequences = nullptr, *positions = nullptr,
                      *lengths = nullptr;        ///< [N]; all int64 but mask
  std::vector<const retort_tensor*> parameters;  ///< [P]
  std::int64_t step = 0, total_steps = 1, step_sequences = 0;
  double step_weight = 0;
};

/// Where the gradients go, or nothing where only the value is wanted.
struct DistillGradients {
  const retort_tensor* logits = nullptr;         ///< [N,V]
  std::vector<const retort_tensor*> hidden;      ///< [Lh] of [N,D_student]
  std::vector<const retort_tensor*> parameters;  ///< [P]
};

/// Borrows the component; one thread at a time. Functions throw std::invalid_argument, std::runtime_error or
/// retort::Stopped, beginning with the component's id: what it returned, or what of the contract it broke.
class DistillCall {
 public:
  /// Functions that the table must have are there, or std::runtime_error.
  DistillCall(std::string id, retort_instance* instance, const retort_distill_v1& functions);
  const std::string& id() const { return id_; }

  /// `setup` NULL: the models are not known yet. Checked: known signals and flags, k with top-k, a fraction in [0,1],
  /// pairs of layers that the models have, parameters with names of their own and sizes above 0, one teacher unless the
  /// loss takes several, nothing but logits and labels of whole sequences from the data with TEACHER_SPANS.
  DistillRequirements requirements(const DistillSetup* setup) const;
  /// Writes the initial values of trained parameter `index`. Checked: all written and finite.
  void initialise(const DistillSetup& setup, std::uint64_t index, const retort_tensor& values) const;
  /// Σ_rows mask·loss_row. `gradients` NULL: only the value. Checked: value and gradients written and finite.
  double loss(const DistillRequirements& wanted, const DistillRows& rows, const DistillGradients* gradients,
              const retort_metric_sink& metrics) const;

 private:
  std::string id_;
  retort_instance* instance_;
  const retort_distill_v1& functions_;
};

/// Which output of a model of L layers `layer` means (retort_distill_requirements): 0 to L-1 for the output of a layer,
/// L for what comes after the final norm; -1 where the model has no such output.
std::int64_t hidden_output(std::int64_t layer, std::int64_t layers);

}  // namespace retort::host
