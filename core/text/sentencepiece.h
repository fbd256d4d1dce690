// A SentencePiece BPE vocabulary (pieces with scores) as a tokenizer.json, with the merges that the scores mean. Knows
// no file format: gguf_tokenizer.h and llama2c_tokenizer.h read those. No unigram models.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "text/tokenizer.h"

namespace retort::text {

/// The numbers are SentencePiece's (sentencepiece_model.proto) and GGUF's.
enum class PieceType { normal = 1, unknown = 2, control = 3, user_defined = 4, unused = 5, byte = 6 };

struct SentencePiece {
  std::string text;  ///< with "▁" for spaces; bytes as "<0x0A>"
  float score = 0;
  PieceType type = PieceType::normal;
};

struct SentencePieceOptions {
  bool prefix_space = true;      ///< a space before every text, as SentencePiece's add_dummy_prefix
  std::optional<TokenId> begin;  ///< what Tokenizer::begin_token() shall say
};

using Merge = std::pair<std::string, std::string>;

/// All ways to put a piece together from two others, best score first; of one score the longer left part first. This is
/// Transformers' order (convert_slow_tokenizer.py, generate_merges). SentencePiece itself takes the leftmost of one
/// score: the two differ only where two ways to spell one piece overlap in the text.
std::vector<Merge> merges_from_scores(const std::vector<SentencePiece>& pieces);

/// By index = id. Control and unknown pieces become special tokens, user-defined ones added tokens; unused ones are
/// left out, their ids stay free. Without byte pieces the unknown piece stands for unknown characters. Throws
/// std::invalid_argument for a text that stands twice (both ids) and for an empty one.
std::string sentencepiece_tokenizer_json(const std::vector<SentencePiece>& pieces, const SentencePieceOptions& options);

}  // namespace retort::text
