// Teacher and student as distributions over the same outcomes, one row (position) at a time, and the way back from a
// loss's derivatives to the student's logits. No loss; batches are token_loss.h's. V vocabulary, k kept teacher
// entries K, M outcomes, z student logits, q = softmax(z/T).
//
// Full logits: M = the columns that both vocabularies have (padding rows differ); both softmaxes are over these alone.
//
// With the teacher's top k, what happens outside K is a convention (`Tail`). p of ids that the student lacks is part of
// the tail.
//   bucket            M = k + 1: one more outcome holds all that K leaves out, q_t = 1 − Σ_K q. T is 1.
//   uniform           M = V: the tail is spread evenly over the other columns, p_j = tail/(V − k), and tempered with
//   the
//                     rest: (V − k)·(tail/(V − k))^(1/T) of the mass, not tail^(1/T) as if it were one token.
//   renormalise       M = k: p divided by Σ_K p, q as it is (its sum is below 1).
//   both_renormalise  M = k: both divided by their sum over K.
//   ignore            M = k: nothing is renormalised; no divergence, it may fall below 0. T is 1.
//   zero              M = V: p_j = e^−100 outside K, nothing is renormalised (NeMo-RL's zero_outside_topk). T is 1.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace retort::distill {

enum class OutsideTop { bucket, uniform, renormalise, both_renormalise, ignore, zero };

/// Throws std::invalid_argument for another name.
OutsideTop outside_top(const std::string& name);

struct OutcomeOptions {
  double temperature = 1;  ///< T > 0, of both
  OutsideTop tail = OutsideTop::bucket;
  double tail_floor = 1e-6;  ///< in (0, 1): with bucket and uniform the least mass of the tail, or a sure teacher's
                             ///< would be 0 and reverse divergences infinite; the kept entries give way in proportion
};

/// Throws std::invalid_argument for options that do not fit together, `top_k` being 0 for full logits.
void check(const OutcomeOptions& options, std::int64_t top_k);

/// One position. Either `teacher` or the top-k members are given.
struct OutcomeRow {
  std::span<const float> student;         ///< z [V]
  std::span<const float> teacher;         ///< logits [V_teacher]
  std::span<const std::int64_t> top_ids;  ///< [k], distinct; a negative id is no entry
  std::span<const float> top_log_probs;   ///< [k] under the full distribution at temperature 1
  double tail_mass = 0;                   ///< probability outside the k
};

/// Of a row with top k: what each puts on K, and the share of K among the student's own k likeliest.
struct TopMass {
  double teacher = 0, student = 0, overlap = 0;
};

/// Keeps its memory from row to row: 8·(V + 3·M) bytes. One thread at a time.
class Outcomes {
 public:
  /// Throws std::invalid_argument: numbers that are not finite, no log-probabilities, more than 1 altogether, an id
  /// twice. Where the teacher names nothing that the student has, there are no outcomes.
  void set(const OutcomeOptions& options, const OutcomeRow& row);

  std::span<const double> log_p() const { return log_p_; }    ///< [M], −infinity for 0
  std::span<const double> log_q() const { return log_q_; }    ///< [M]
  std::span<double> by_log_q() { return by_log_q_; }          ///< [M] for the loss's derivatives
  std::span<const std::int64_t> ids() const { return ids_; }  ///< ascending, of K that the student has
  std::span<const double> student() const { return all_; }    ///< [columns compared] log q of the whole softmax
  /// [columns compared] zeros for derivatives by the whole softmax's log q, for what a loss does outside its outcomes.
  std::span<double> by_student();
  TopMass top_mass();

  /// gradient_j = scale·d loss / d z_j [V], every element, from by_log_q (and by_student): what the loss does with each
  /// log q taken by itself. The softmax's own part is added here.
  void write_gradient(double scale, std::span<float> gradient) const;

 private:
  void set_full(const OutcomeRow& row);
  void set_top(const OutcomeOptions& options, const OutcomeRow& row);
  void take_entries(const OutcomeRow& row);
  double tail_share(const OutcomeOptions& options);
  void spread(const OutcomeOptions& options, double tail);
  void add_bucket(double tail);
  void restrict_to_kept(const OutcomeOptions& options);

  enum class Kind { columns, bucket, kept, kept_softmax } kind_ = Kind::columns;
  double temperature_ = 1, mass_ = 0, lost_ = 0, tail_mass_ = 0;
  std::vector<double> all_, log_p_, log_q_, by_log_q_, by_student_, sorting_;
  std::vector<std::int64_t> ids_;
  std::vector<double> kept_;  ///< log p of ids_ at temperature 1
};

}  // namespace retort::distill
