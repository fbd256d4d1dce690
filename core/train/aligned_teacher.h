// The rows of a data set as a teacher with a tokenizer of its own reads them, and which of its tokens write what the
// student's do. No LibTorch.
#pragma once

#include <vector>

#include "train/corpus.h"
#include "train/text_spans.h"

namespace retort::train {

/// Row i is the corpus's.
struct AlignedRows {
  std::vector<Sequence> sequences;
  std::vector<std::vector<TextSpan>> spans;  ///< of the responses
};

/// How one teacher reads; borrowed.
struct TeacherReading {
  const text::Tokenizer& tokenizer;
  const task::PromptContract& contract;
  std::int64_t max_positions;
};

/// One entry a teacher. Rows that a teacher cannot read (too long for it, another text) leave the corpus; their number
/// goes to `hooks` ("unaligned_rows"), the first reasons to the log. Throws std::runtime_error where they are more than
/// `max_rejected_share`, or all.
std::vector<AlignedRows> align(Corpus& corpus, const text::Tokenizer& student,
                               const std::vector<TeacherReading>& teachers, double max_rejected_share,
                               const RunHooks& hooks);

}  // namespace retort::train
