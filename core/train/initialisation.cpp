#include "train/initialisation.h"

#include <ATen/ops/linalg_eigh.h>
#include <retort/abi/pruner.h>

#include <cmath>
#include <stdexcept>

#include "host/base/utf8.h"
#include "train/model_cut.h"

namespace retort::train {
namespace {

using torch::Tensor;

/// The teacher's tokens that stand for a token of the student; none where nothing does.
std::vector<text::TokenId> pieces_of(const text::Tokenizer& student, text::TokenId id, const text::Tokenizer& teacher) {
  const std::string spelled(student.token(id));
  if (spelled.empty()) return {};
  if (const auto same = teacher.find(spelled)) return {*same};
  if (student.is_special(id)) return teacher.encode(words_of_token(spelled));
  const std::string bytes = student.token_bytes(id);
  if (host::replace_invalid_utf8(bytes) != bytes) return {};
  return teacher.encode(bytes);
}

void take_matrix(DecoderModule& student, const text::Tokenizer& student_tokenizer, DecoderModule& teacher,
                 const text::Tokenizer& teacher_tokenizer, const std::string& name, std::int64_t& missing) {
  const TokenRows rows = rows_for_tokens(student_tokenizer, teacher_tokenizer, teacher.weight(name).detach());
  Tensor target = student.weight(name);
  const std::int64_t known = std::min(target.size(0), rows.rows.size(0));
  const std::int64_t width = std::min(target.size(1), rows.rows.size(1));
  const Tensor found = rows.found.narrow(0, 0, known).nonzero().squeeze(1);
  missing = target.size(0) - found.size(0);
  if (found.size(0) == 0) return;
  const Tensor projected = principal_components(rows, width).index_select(0, found);
  const double wanted = 1 / std::sqrt(static_cast<double>(target.size(1)));
  const double present = std::sqrt(projected.square().mean().item<double>());
  if (present == 0) return;
  target.narrow(1, 0, width).index_copy_(0, found, projected * (wanted / present));
}

}  // namespace

std::string words_of_token(std::string token) {
  if (token.starts_with("<|")) token.erase(0, 2);
  if (token.ends_with("|>")) token.erase(token.size() - 2);
  if (const std::size_t colon = token.find(':'); colon != std::string::npos) token.erase(0, colon + 1);
  return " " + token;
}

TokenRows rows_for_tokens(const text::Tokenizer& student, const text::Tokenizer& teacher, const Tensor& teacher_rows) {
  const torch::NoGradGuard no_grad;
  const std::int64_t count = student.vocabulary_size();
  TokenRows result{torch::zeros({count, teacher_rows.size(1)}), torch::zeros({count}, torch::kBool)};
  for (std::int64_t id = 0; id < count; ++id) {
    std::vector<std::int64_t> pieces;
    for (const text::TokenId piece : pieces_of(student, static_cast<text::TokenId>(id), teacher))
      if (piece < teacher_rows.size(0)) pieces.push_back(piece);
    if (pieces.empty()) continue;
    result.rows[id].copy_(teacher_rows.index_select(0, torch::tensor(pieces, torch::kInt64)).mean(0));
    result.found[id].fill_(true);
  }
  return result;
}

Tensor principal_components(const TokenRows& rows, std::int64_t width) {
  const torch::NoGradGuard no_grad;
  const Tensor all = rows.rows.to(torch::kFloat64);
  const Tensor found = all.index_select(0, rows.found.nonzero().squeeze(1));
  const Tensor mean = found.mean(0, true);
  const Tensor centred = found - mean;
  const Tensor directions = std::get<1>(at::linalg_eigh(centred.t().matmul(centred))).flip({1}).narrow(1, 0, width);
  const Tensor largest = directions.gather(0, directions.abs().argmax(0, true));  // [1,width]
  return (all - mean).matmul(directions * largest.sign()).to(torch::kFloat32);
}

std::int64_t take_embeddings(DecoderModule& student, const text::Tokenizer& student_tokenizer, DecoderModule& teacher,
                             const text::Tokenizer& teacher_tokenizer) {
  const torch::NoGradGuard no_grad;
  std::int64_t missing = 0;
  if (!student.config().tie_word_embeddings && !teacher.config().tie_word_embeddings)
    take_matrix(student, student_tokenizer, teacher, teacher_tokenizer, "lm_head.weight", missing);
  take_matrix(student, student_tokenizer, teacher, teacher_tokenizer, "model.embed_tokens.weight", missing);
  return missing;
}

std::vector<std::int64_t> evenly_chosen(std::int64_t layers, std::int64_t count) {
  if (count < 1 || count > layers)
    throw std::invalid_argument("model.layers: expected 1 to the teacher's " + std::to_string(layers) + ", found " +
                                std::to_string(count));
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < count; ++i)
    chosen.push_back(count == 1 ? 0 : (2 * i * (layers - 1) + (count - 1)) / (2 * (count - 1)));  // rounded
  return chosen;
}

std::unique_ptr<DecoderModule> with_layers(DecoderModule& teacher, const std::vector<std::int64_t>& layers) {
  return cut_decoder(teacher, {{RETORT_AXIS_LAYERS, -1, layers}});
}

}  // namespace retort::train
