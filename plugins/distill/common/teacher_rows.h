// What the losses over a teacher's tokens share: rows of the ABI's tensors, the shapes that a batch must have, and the
// notice where the vocabularies differ in width. N rows, V vocabulary, k kept entries.
#pragma once

#include <algorithm>
#include <cstdint>
#include <retort/distill.hpp>
#include <span>
#include <stdexcept>
#include <string>

namespace retort::distill {

/// Row `index` of `view`; empty where there is no view.
template <typename T>
std::span<T> span_of(const TensorView<T>& view, std::int64_t index) {
  return view ? std::span<T>(view.row(index), static_cast<std::size_t>(view.columns())) : std::span<T>();
}

/// Says once that only the columns that both vocabularies have are compared.
class VocabularyNotice {
 public:
  /// `id` is the loss's; `consequence` ends the sentence.
  void tell(const std::string& id, std::int64_t student, std::int64_t teacher, const std::string& consequence) {
    if (student == teacher || told_) return;
    told_ = true;
    log_warning(id + ": the student has " + std::to_string(student) + " vocabulary columns, the teacher " +
                std::to_string(teacher) + ": comparing the first " + std::to_string(std::min(student, teacher)) +
                consequence);
  }

 private:
  bool told_ = false;
};

/// Throws std::invalid_argument, naming the tensor, unless the student's logits, the mask and the gradient are [N,V],
/// [N] and [N,V], and every teacher has [N,k] entries (top_k above 0) or [N,·] logits.
inline void check_token_shapes(const DistillBatch& batch, const Gradient& gradient, std::int64_t top_k) {
  if (!batch.student_logits) throw std::invalid_argument("student_logits: missing");
  if (batch.vocabulary() == 0) throw std::invalid_argument("student_logits: no columns");
  if (batch.teachers.empty()) throw std::invalid_argument("teachers: expected at least one, found none");
  const std::int64_t rows = batch.rows();
  for (const TeacherSignals& teacher : batch.teachers) {
    if (top_k > 0) {
      expect_shape(teacher.top_ids, "teacher top_ids", rows, -1);
      expect_shape(teacher.top_log_probs, "teacher top_log_probs", rows, teacher.top_ids.columns());
    } else {
      expect_shape(teacher.logits, "teacher logits", rows, -1);
      if (teacher.logits.columns() == 0) throw std::invalid_argument("teacher logits: no columns");
    }
  }
  if (batch.mask) expect_shape(batch.mask, "mask", rows);
  if (gradient.logits) expect_shape(gradient.logits, "logits_gradient", rows, batch.vocabulary());
}

}  // namespace retort::distill
