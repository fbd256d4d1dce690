#include "train/aligned_teacher.h"

#include <stdexcept>

namespace retort::train {
namespace {

struct ReadRow {
  Sequence sequence;
  std::vector<TextSpan> spans;
};

/// Throws std::invalid_argument where the teacher cannot read the row.
ReadRow read(const task::Example& example, const Sequence& student, const text::Tokenizer& tokenizer,
             const TeacherReading& teacher) {
  ReadRow row{to_sequence(example, teacher.contract, teacher.tokenizer), {}};
  row.sequence.example = student.example;
  if (static_cast<std::int64_t>(row.sequence.length()) > teacher.max_positions)
    throw std::invalid_argument("it has " + std::to_string(row.sequence.length()) +
                                " of the teacher's tokens, which holds " + std::to_string(teacher.max_positions));
  row.spans =
      text_spans(written_bytes(tokenizer, student.response), written_bytes(teacher.tokenizer, row.sequence.response));
  return row;
}

}  // namespace

std::vector<AlignedRows> align(Corpus& corpus, const text::Tokenizer& student,
                               const std::vector<TeacherReading>& teachers, double max_rejected_share,
                               const RunHooks& hooks) {
  constexpr std::size_t reasons_shown = 3;
  std::vector<AlignedRows> all(teachers.size());
  Corpus kept;
  std::string reasons;
  std::size_t rejected = 0;
  for (std::size_t i = 0; i < corpus.sequences.size(); ++i) {
    std::vector<ReadRow> rows;
    try {
      for (const TeacherReading& teacher : teachers)
        rows.push_back(read(corpus.examples[i], corpus.sequences[i], student, teacher));
    } catch (const std::invalid_argument& error) {
      if (rejected++ < reasons_shown) reasons += "; \"" + corpus.examples[i].utterance() + "\": " + error.what();
      continue;
    }
    Sequence sequence = std::move(corpus.sequences[i]);
    sequence.example = kept.examples.size();
    for (std::size_t a = 0; a < teachers.size(); ++a) {
      rows[a].sequence.example = sequence.example;
      all[a].sequences.push_back(std::move(rows[a].sequence));
      all[a].spans.push_back(std::move(rows[a].spans));
    }
    kept.examples.push_back(std::move(corpus.examples[i]));
    kept.sequences.push_back(std::move(sequence));
  }
  const std::size_t total = corpus.sequences.size();
  corpus = std::move(kept);
  hooks.metric("unaligned_rows", -1, static_cast<double>(rejected));
  if (rejected == 0) return all;
  const std::string message = std::to_string(rejected) + " of " + std::to_string(total) +
                              " rows cannot be read by a teacher with a tokenizer of its own" + reasons;
  if (corpus.sequences.empty() || static_cast<double>(rejected) > max_rejected_share * static_cast<double>(total))
    throw std::runtime_error(message + "; mend them, or raise max_rejected_share");
  hooks.log(message);
  return all;
}

}  // namespace retort::train
