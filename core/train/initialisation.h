// What a student can begin with instead of random weights: its teacher's embeddings, projected, or some of its layers.
// Internal to core/train. V tokens, D hidden.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "text/tokenizer.h"
#include "train/decoder_module.h"

namespace retort::train {

/// Row i [D_t] for token i of the student: the teacher's row of the token that is spelled alike, else the mean of its
/// rows of the pieces that it splits the token's text into (of a special token: the words of its name). `found` [V_s]
/// bool says which have one: bytes that are no text and that the teacher has no token for have none, and zeros.
struct TokenRows {
  torch::Tensor rows;   ///< [V_s,D_t] f32
  torch::Tensor found;  ///< [V_s] bool
};
TokenRows rows_for_tokens(const text::Tokenizer& student, const text::Tokenizer& teacher,
                          const torch::Tensor& teacher_rows);

/// rows [V,D_t] → [V,width]: their coordinates along the `width` directions in which the found ones vary most
/// (principal components, the mean taken off; each direction signed so that its largest component is positive). Needs
/// width ≤ D_t.
torch::Tensor principal_components(const TokenRows& rows, std::int64_t width);

/// Gives the student's embedding, and its head where that is a matrix of its own, the teacher's rows, projected to the
/// student's D, scaled to the root mean square that the student's random ones have. Rows that are not found stay.
/// Returns how many are not. Where D_s > D_t the columns past D_t stay too.
std::int64_t take_embeddings(DecoderModule& student, const text::Tokenizer& student_tokenizer, DecoderModule& teacher,
                             const text::Tokenizer& teacher_tokenizer);

/// `count` of `layers` layers, evenly, the first and the last among them. Throws std::invalid_argument for more than
/// there are.
std::vector<std::int64_t> evenly_chosen(std::int64_t layers, std::int64_t count);

/// The teacher with these of its layers.
std::unique_ptr<DecoderModule> with_layers(DecoderModule& teacher, const std::vector<std::int64_t>& layers);

/// "<|call:PlayMusic|>" as a word of a sentence: " PlayMusic".
std::string words_of_token(std::string token);

}  // namespace retort::train
