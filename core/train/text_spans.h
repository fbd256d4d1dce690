// Where two tokenizers cut the same text: the pieces whose ends both share. No LibTorch.
//
//   student  to|kit|chen      "to" is a piece of one token each, "kitchen" of two and one
//   teacher  to|kitchen
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/tokenizer.h"
#include "train/sequences.h"

namespace retort::train {

/// Tokens that write one piece of text, in both sequences of tokens.
struct TextSpan {
  std::int64_t student = 0, student_tokens = 0, teacher = 0, teacher_tokens = 0;
  bool operator==(const TextSpan&) const = default;
};

/// The shortest pieces, from byte offsets; `student` and `teacher` are the bytes of each token. A token of no bytes
/// belongs to the piece that it stands in or before. Throws std::invalid_argument, showing where, unless both write the
/// same text.
std::vector<TextSpan> text_spans(const std::vector<std::string>& student, const std::vector<std::string>& teacher);

/// The bytes that each token writes; special tokens write their names.
std::vector<std::string> written_bytes(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& tokens);

}  // namespace retort::train
