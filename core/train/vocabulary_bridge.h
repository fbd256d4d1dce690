// How a teacher's tokens stand to a student's, for losses that compare distributions over the same tokens: decided from
// the two tokenizers alone. No LibTorch. Teachers whose tokens cannot be carried over are aligned_teacher.h's.
//
//   same     one tokenizer, as many rows of logits
//   padded   one tokenizer, another number of rows: those that no token uses are not compared
//   subset   every token of the student is one of the teacher's, under another id (a pruned vocabulary): the teacher
//            reads its own ids, and its logits are those of the student's tokens. What it puts on tokens that the
//            student lacks is the tail of its top k, and is renormalised away in full logits.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "train/aligned_teacher.h"

namespace retort::train {

struct VocabularyBridge {
  enum class Kind { same, padded, subset };
  Kind kind = Kind::same;
  std::vector<std::int64_t> teacher_ids;  ///< subset: [the student's tokens] the teacher's id of each
  std::int64_t student_rows = 0, teacher_rows = 0,
               lost = 0;  ///< rows of logits; the teacher's tokens that nobody reads

  /// What was decided, for the log: "the teacher has 151936 rows, …".
  std::string text() const;
  /// The student's ids in the teacher's numbering.
  std::vector<text::TokenId> to_teacher(const std::vector<text::TokenId>& tokens) const;
};

/// One model's side.
struct VocabularySide {
  const text::Tokenizer& tokenizer;
  std::int64_t rows;  ///< of its logits
  std::string name;   ///< for messages
};

/// Throws std::invalid_argument where the student has tokens that the teacher lacks: how many, the first, and what to
/// do.
VocabularyBridge bridge_vocabulary(const VocabularySide& student, const VocabularySide& teacher);

/// Takes the rows out of the corpus that `teacher` cuts into other tokens than the student; their number goes to
/// `hooks`
/// ("unbridged_rows"), the first to the log. Throws std::runtime_error where they are more than `max_rejected_share`.
void keep_bridged(Corpus& corpus, const VocabularyBridge& bridge, const TeacherReading& teacher,
                  double max_rejected_share, const RunHooks& hooks);

}  // namespace retort::train
