#include "train/vocabulary_bridge.h"

#include <algorithm>
#include <stdexcept>

namespace retort::train {

std::string VocabularyBridge::text() const {
  const std::string rows = std::to_string(student_rows) + " rows, the teacher's " + std::to_string(teacher_rows);
  switch (kind) {
    case Kind::same:
      return "vocabulary: the same";
    case Kind::padded:
      return "vocabulary: one tokenizer, the student's logits have " + rows +
             ": rows that no token uses are padding and not compared";
    case Kind::subset:
      return "vocabulary: the student's " + std::to_string(teacher_ids.size()) +
             " tokens are all the teacher's, under other ids; what it says of " + std::to_string(lost) +
             " others is the tail of its top k, and renormalised away in full logits";
  }
  return "";
}

std::vector<text::TokenId> VocabularyBridge::to_teacher(const std::vector<text::TokenId>& tokens) const {
  if (kind != Kind::subset) return tokens;
  std::vector<text::TokenId> mapped;
  for (const text::TokenId token : tokens)
    mapped.push_back(static_cast<text::TokenId>(teacher_ids.at(static_cast<std::size_t>(token))));
  return mapped;
}

VocabularyBridge bridge_vocabulary(const VocabularySide& student, const VocabularySide& teacher) {
  VocabularyBridge bridge;
  bridge.student_rows = student.rows;
  bridge.teacher_rows = teacher.rows;
  if (student.tokenizer.to_json() == teacher.tokenizer.to_json()) {
    bridge.kind = student.rows == teacher.rows ? VocabularyBridge::Kind::same : VocabularyBridge::Kind::padded;
    return bridge;
  }
  bridge.kind = VocabularyBridge::Kind::subset;
  std::int64_t missing = 0;
  std::string first;
  const auto count = static_cast<text::TokenId>(std::min(student.tokenizer.vocabulary_size(), student.rows));
  for (text::TokenId id = 0; id < count; ++id) {
    const std::string token(student.tokenizer.token(id));
    const auto found = teacher.tokenizer.find(token);
    const bool known =
        found && *found < teacher.rows && teacher.tokenizer.is_special(*found) == student.tokenizer.is_special(id);
    if (!known && missing++ == 0) first = token;
    bridge.teacher_ids.push_back(known ? *found : 0);
  }
  if (missing > 0)
    throw std::invalid_argument(
        student.name + " and teacher " + teacher.name + " have different tokenizers: " + std::to_string(missing) +
        " of the student's " + std::to_string(count) + " tokens, the first of them \"" + first +
        "\", are not the teacher's. This loss compares distributions over the same tokens: take one that compares "
        "pieces of text (distill.alm, distill.uld), a student with the teacher's tokenizer, or one whose vocabulary "
        "was "
        "pruned from it");
  bridge.lost = teacher.tokenizer.vocabulary_size() - count;
  return bridge;
}

void keep_bridged(Corpus& corpus, const VocabularyBridge& bridge, const TeacherReading& teacher,
                  double max_rejected_share, const RunHooks& hooks) {
  if (bridge.kind != VocabularyBridge::Kind::subset) return;
  Corpus kept;
  std::string first;
  const std::size_t total = corpus.sequences.size();
  for (std::size_t i = 0; i < total; ++i) {
    const Sequence own = to_sequence(corpus.examples[i], teacher.contract, teacher.tokenizer);
    const Sequence& sequence = corpus.sequences[i];
    if (own.prompt != bridge.to_teacher(sequence.prompt) || own.response != bridge.to_teacher(sequence.response)) {
      if (first.empty()) first = corpus.examples[i].utterance();
      continue;
    }
    kept.sequences.push_back(std::move(corpus.sequences[i]));
    kept.sequences.back().example = kept.examples.size();
    kept.examples.push_back(std::move(corpus.examples[i]));
  }
  const std::size_t left = total - kept.sequences.size();
  corpus = std::move(kept);
  hooks.metric("unbridged_rows", -1, static_cast<double>(left));
  if (left == 0) return;
  const std::string message = std::to_string(left) + " of " + std::to_string(total) +
                              " rows are other tokens to the teacher than to the student, the first \"" + first + "\"";
  if (corpus.sequences.empty() || static_cast<double>(left) > max_rejected_share * static_cast<double>(total))
    throw std::runtime_error(message +
                             ": they were pruned from tokens that these rows need; raise max_rejected_share, "
                             "or take a loss that compares pieces of text");
  hooks.log(message + ": left out");
}

}  // namespace retort::train
