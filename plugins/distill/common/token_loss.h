// What the losses share that compare two distributions at every row: parameters, requirements, batches, several
// teachers, masks. A loss adds one function of log p and log q. N rows, V vocabulary, k kept entries, M outcomes.
#pragma once

#include <cstdint>
#include <retort/distill.hpp>
#include <retort/parameters.hpp>
#include <span>
#include <string>
#include <vector>

#include "divergences.h"
#include "outcomes.h"
#include "teacher_rows.h"

namespace retort::distill {

struct TokenLossOptions {
  double temperature = 1;                    ///< T
  bool scale_by_temperature_squared = true;  ///< multiply value and gradient by T²
  std::int64_t top_k = 0;                    ///< 0: full logits
  std::string tail = "bucket";               ///< outcomes.h
  double tail_floor = 1e-6;
  std::string average = "losses";  ///< of several teachers: their losses, or their probabilities (full logits only)
  double on_policy_fraction = 0;
};

/// What a loss knows of the batch beside the distributions.
struct RowPlace {
  std::int64_t step = 0, total_steps = 1;
  bool on_policy = false;
};

class TokenLoss : public DistillStrategy {
 public:
  DistillRequirements requirements(const DistillSetup* setup) const override;
  /// Of several teachers the weighted sum of the losses, or the loss against the weighted mean of their probabilities.
  Loss loss(const DistillBatch& batch, const Gradient& gradient) final;

 protected:
  /// Throws std::invalid_argument for options that do not fit together. `id` begins what is logged.
  TokenLoss(std::string id, const TokenLossOptions& options);

  /// The loss of one row, and its derivatives by each log q taken by itself (`outcomes.by_log_q()`; what the loss holds
  /// constant has none).
  virtual double row_loss(const RowPlace& place, Outcomes& outcomes) = 0;
  /// Whether a value below 0 can only be rounding.
  virtual bool is_divergence() const;

  const std::string& id() const { return id_; }
  std::uint32_t flags_ = RETORT_DISTILL_SEVERAL_TEACHERS;

 private:
  OutcomeRow row_of(const DistillBatch& batch, const TeacherSignals& teacher, std::int64_t n) const;
  double learn_row(const DistillBatch& batch, std::int64_t n, std::span<float> gradient);
  void average_teachers(const DistillBatch& batch, std::int64_t n);
  double value_of(const DistillBatch& batch, double weight, std::span<float> gradient);
  void check_shapes(const DistillBatch& batch, const Gradient& gradient);

  std::string id_;
  TokenLossOptions options_;
  OutcomeOptions outcome_options_;
  VocabularyNotice notice_;
  Outcomes outcomes_;
  std::vector<float> mean_, further_;
  std::vector<double> log_mean_;
  TopMass top_mass_;  ///< weighted sums of the present call
};

/// The parameters of TokenLossOptions, of a struct that is derived from it; `tails`: the conventions that make sense
/// for the loss.
template <typename Params>
ParameterSet<Params> token_loss_parameters(std::initializer_list<const char*> tails) {
  return params<Params>()
      .number("temperature", &Params::temperature)
      .above(0)
      .doc("softmax temperature T of teacher and student")
      .boolean("scale_by_temperature_squared", &Params::scale_by_temperature_squared)
      .doc("multiply the loss by T², so that its gradient does not shrink as T grows")
      .integer("top_k", &Params::top_k)
      .at_least(0)
      .doc("entries of the teacher's distribution to ask for; 0: its full logits")
      .string("tail", &Params::tail)
      .one_of(tails)
      .doc(
          "with top_k, the mass outside it: bucket: one more outcome; uniform: spread evenly over the other tokens; "
          "renormalise: the teacher renormalised; both_renormalise: teacher and student; ignore: left out; zero: "
          "probability e^-100. bucket, ignore and zero need temperature 1")
      .number("tail_floor", &Params::tail_floor)
      .above(0)
      .below(1)
      .doc("with bucket and uniform: the least mass of the tail, without which a sure teacher's would be 0")
      .string("average", &Params::average)
      .one_of({"losses", "probabilities"})
      .doc("of several teachers: the weighted sum of the losses, or the loss against their mean distribution")
      .number("on_policy_fraction", &Params::on_policy_fraction)
      .at_least(0)
      .at_most(1)
      .doc("share λ of batches that the student samples itself");
}

/// The conventions under which both sides are whole distributions.
inline constexpr std::initializer_list<const char*> whole_tails = {"bucket", "uniform"};

}  // namespace retort::distill
