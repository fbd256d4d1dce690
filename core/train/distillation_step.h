// One optimiser step of a distillation: signals of teachers and student go to the loss, gradients come back. Internal
// to core/train.
#pragma once

#include <memory>
#include <vector>

#include "train/aligned_teacher.h"
#include "train/batch_rows.h"
#include "train/data_parallel.h"
#include "train/decoder_module.h"
#include "train/distill_loss.h"
#include "train/instance_pool.h"
#include "train/policy_engine.h"
#include "train/processes.h"
#include "train/recorded_signals.h"
#include "train/sequences.h"
#include "train/training_options.h"

namespace retort::train {

/// The loss, one instance a thread.
class LossInstances {
 public:
  /// Every instance is asked for its requirements (the answer binds the instance too). Throws as
  /// DistillCall::requirements.
  LossInstances(std::vector<host::DistillCall> calls, const host::DistillSetup& setup);
  const host::DistillRequirements& wanted() const { return wanted_; }
  const host::DistillCall& first() const { return calls_.front(); }
  std::int64_t count() const { return static_cast<std::int64_t>(calls_.size()); }
  InstancePool<host::DistillCall>& pool() { return pool_; }

 private:
  std::vector<host::DistillCall> calls_;
  InstancePool<host::DistillCall> pool_;
  host::DistillRequirements wanted_;
};

/// A group "loss.NAME" with the one tensor "value" for every parameter that the loss declares, as it initialised them.
std::vector<ParameterGroup> loss_groups(const LossInstances& losses, const host::DistillSetup& setup,
                                        torch::Device device = torch::kCPU);

/// Throws std::invalid_argument for what recorded signals cannot give: anything but the top k (at most `top_k`) of the
/// data set's own responses. With `ask` the teacher is there for the student's.
void expect_recorded(const host::DistillCall& call, const host::DistillRequirements& wanted, std::int64_t top_k,
                     bool ask);

/// Steps at the begin of which the metric "cross_entropy" of the labels is reported beside the loss.
constexpr std::int64_t steps_with_cross_entropy = 8;
/// Between steps that report what teachers and student give to the teachers' likeliest tokens (top_tokens.h).
constexpr std::int64_t steps_between_top_tokens = 20;
/// What to say where a loss begins three orders of magnitude above or below the cross-entropy; "" where it does not.
std::string scale_warning(double loss, double cross_entropy);

struct WeightedTeacher {
  DecoderModule* decoder = nullptr;
  const RecordedSignals* recorded = nullptr;  ///< what it said once: read instead of asking it, where there
  double weight = 1;                          ///< all sum to 1
  const AlignedRows* aligned = nullptr;       ///< with TEACHER_SPANS: how it reads the sequences
  torch::Tensor ids;  ///< [the student's tokens] the teacher's id of each; undefined where they are the same
};

/// What a distillation needs in every step; borrowed by DistillationStep.
struct DistillationParts {
  std::vector<WeightedTeacher> teachers;
  DecoderModule& student;
  const std::vector<Sequence>& sequences;
  LossInstances& losses;
  std::vector<torch::Tensor> loss_parameters;  ///< [P]
  TrainingOptions training;
  std::int64_t total_steps = 1;
  std::uint64_t seed = 0;
  double prompt_loss_weight = 0;    ///< of the prompts of on-policy batches
  double sampling_temperature = 1;  ///< of on-policy batches
  double teacher_answers = 0;       ///< share of the other batches that a teacher answers
  text::TokenId end_token = -1;     ///< of answers that are sampled
  std::int64_t threads = 1;         ///< of the runtime, which samples these
  const Processes& processes = Processes::of_environment();
};

class DistillationStep {
 public:
  DistillationStep(DistillationParts parts, DataParallel& parallel);

  /// Adds the gradient of the batch's loss, Σ_rows / Σ mask, to the parameters; returns the loss. What the loss reports
  /// is divided likewise and put into `metrics`.
  double accumulate(const std::vector<std::size_t>& batch, std::int64_t step, MetricMap& metrics);

 private:
  struct Data;  ///< the sequences of a step, and what holds for all their rows
  torch::Tensor loss_of(const Data& data, std::span<const std::size_t> part, const Dropout& dropout, MetricMap& report);
  struct HeldTeacher;
  std::vector<HeldTeacher> hold_teachers(const Data& data, std::span<const std::size_t> part,
                                         const BatchRows& rows) const;
  DistillTensors chunk(const Data& data, const BatchRows& rows, const std::vector<HeldTeacher>& held,
                       std::int64_t first, std::int64_t count) const;
  std::vector<std::int64_t> borders_of(const BatchRows& rows, const std::vector<HeldTeacher>& held) const;
  DistillTensors described(const Data& data, const BatchRows& rows) const;
  bool is_recorded(const WeightedTeacher& teacher, const Data& data, std::span<const std::size_t> part) const;
  void add_token_signals(const WeightedTeacher& teacher, const torch::Tensor& last, TeacherSignals& signals) const;
  HeldTeacher hold_aligned(const WeightedTeacher& teacher, const Data& data, std::span<const std::size_t> part) const;
  static TeacherSignals aligned_signals(const WeightedTeacher& teacher, const HeldTeacher& held, std::int64_t first,
                                        std::int64_t count);
  TeacherSignals recorded_signals(const WeightedTeacher& teacher, const Data& data,
                                  std::span<const std::size_t> part) const;
  std::vector<Sequence> answers(PolicyEngine& engine, double temperature, const std::vector<std::size_t>& batch,
                                std::int64_t step, MetricMap& metrics);
  PolicyEngine& teacher_engine(std::int64_t step);
  bool draw(std::uint64_t stream, std::int64_t step, double share) const;

  DistillationParts parts_;
  DataParallel& parallel_;
  PolicyEngine engine_;                                         ///< of the student
  std::vector<std::unique_ptr<PolicyEngine>> teacher_engines_;  ///< made when first asked
};

}  // namespace retort::train
