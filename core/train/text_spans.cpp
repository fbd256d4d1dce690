#include "train/text_spans.h"

#include <stdexcept>

#include "host/base/utf8.h"

namespace retort::train {
namespace {

std::string joined(const std::vector<std::string>& tokens) {
  std::string text;
  for (const std::string& token : tokens) text += token;
  return text;
}

}  // namespace

std::vector<TextSpan> text_spans(const std::vector<std::string>& student, const std::vector<std::string>& teacher) {
  if (const std::string one = joined(student), other = joined(teacher); one != other)
    throw std::invalid_argument("expected both tokenizers to write the same text, found \"" +
                                host::replace_invalid_utf8(one) + "\" and \"" + host::replace_invalid_utf8(other) +
                                "\"");
  std::vector<TextSpan> spans;
  TextSpan open;
  std::size_t i = 0, j = 0, student_end = 0, teacher_end = 0;
  while (i < student.size() || j < teacher.size()) {
    const bool behind = j == teacher.size() || (i < student.size() && student_end <= teacher_end);
    if (behind) {
      student_end += student[i++].size();
      ++open.student_tokens;
    } else {
      teacher_end += teacher[j++].size();
      ++open.teacher_tokens;
    }
    if (student_end != teacher_end || open.student_tokens == 0 || open.teacher_tokens == 0) continue;
    spans.push_back(open);
    open = {static_cast<std::int64_t>(i), 0, static_cast<std::int64_t>(j), 0};
  }
  if (open.student_tokens + open.teacher_tokens > 0 && !spans.empty()) {  // tokens of no bytes at the end
    spans.back().student_tokens += open.student_tokens;
    spans.back().teacher_tokens += open.teacher_tokens;
  }
  return spans;
}

std::vector<std::string> written_bytes(const text::Tokenizer& tokenizer, const std::vector<text::TokenId>& tokens) {
  std::vector<std::string> bytes;
  for (const text::TokenId token : tokens)
    bytes.push_back(tokenizer.is_special(token) ? std::string(tokenizer.token(token)) : tokenizer.token_bytes(token));
  return bytes;
}

}  // namespace retort::train
