// See sentencepiece.h.
#include "text/sentencepiece.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "host/base/utf8.h"
#include "text/tokenizer_json_parts.h"
#include "text/tokenizer_state.h"

namespace retort::text {
namespace {

using Json = nlohmann::json;
using Ids = std::unordered_map<std::string_view, std::size_t>;

bool takes_part(const SentencePiece& piece) {
  return piece.type == PieceType::normal || piece.type == PieceType::user_defined;
}

struct Candidate {
  float score = 0;
  std::size_t left_length = 0;  ///< in characters
  std::size_t right_length = 0;
  std::size_t left = 0, right = 0;  ///< ids
};

void append_splits(const SentencePiece& piece, const Ids& ids, std::vector<Candidate>& candidates) {
  const std::string_view text = piece.text;
  std::size_t characters = 0;
  for (std::size_t at = 0; at < text.size(); ++characters)
    at += std::max<std::size_t>(host::character_length(text.substr(at)), 1);
  std::size_t length = 0;
  for (std::size_t cut = 0; cut < text.size();) {
    cut += std::max<std::size_t>(host::character_length(text.substr(cut)), 1);
    ++length;
    const auto left = ids.find(text.substr(0, cut));
    if (left == ids.end()) continue;
    const auto right = ids.find(text.substr(cut));
    if (right != ids.end())
      candidates.push_back({piece.score, length, characters - length, left->second, right->second});
  }
}

void check_pieces(const std::vector<SentencePiece>& pieces) {
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    if (pieces[id].type == PieceType::unused) continue;
    const auto place = "token " + std::to_string(id);
    if (pieces[id].text.empty()) throw std::invalid_argument(place + ": expected a text, found an empty one");
    const auto [other, inserted] = seen.emplace(pieces[id].text, id);
    if (!inserted)
      throw std::invalid_argument(place + ": expected each token once, found \"" +
                                  host::replace_invalid_utf8(pieces[id].text) + "\", which is also token " +
                                  std::to_string(other->second));
    if (host::replace_invalid_utf8(pieces[id].text) != pieces[id].text)
      throw std::invalid_argument(place + ": expected UTF-8, found \"" + host::replace_invalid_utf8(pieces[id].text) +
                                  "\"");
  }
}

Json decoder_json(bool prefix_space) {
  Json steps = Json::array({{{"type", "Replace"}, {"pattern", {{"String", space_symbol}}}, {"content", " "}},
                            {{"type", "ByteFallback"}},
                            {{"type", "Fuse"}}});
  if (prefix_space) steps.push_back({{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", steps}};
}

Json normalizer_json(bool prefix_space) {
  Json steps = Json::array();
  if (prefix_space) steps.push_back({{"type", "Prepend"}, {"prepend", space_symbol}});
  steps.push_back({{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", space_symbol}});
  return {{"type", "Sequence"}, {"normalizers", steps}};
}

}  // namespace

std::vector<Merge> merges_from_scores(const std::vector<SentencePiece>& pieces) {
  Ids ids;
  for (std::size_t id = 0; id < pieces.size(); ++id)
    if (takes_part(pieces[id])) ids.emplace(pieces[id].text, id);
  std::vector<Candidate> candidates;
  for (const SentencePiece& piece : pieces)
    if (takes_part(piece)) append_splits(piece, ids, candidates);
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.score, a.left_length, a.right_length) > std::tie(b.score, b.left_length, b.right_length);
  });
  std::vector<Merge> merges;
  merges.reserve(candidates.size());
  for (const Candidate& candidate : candidates)
    merges.emplace_back(pieces[candidate.left].text, pieces[candidate.right].text);
  return merges;
}

std::string sentencepiece_tokenizer_json(const std::vector<SentencePiece>& pieces,
                                         const SentencePieceOptions& options) {
  check_pieces(pieces);
  if (options.begin && (*options.begin < 0 || static_cast<std::size_t>(*options.begin) >= pieces.size()))
    throw std::invalid_argument("begin token: expected an id below " + std::to_string(pieces.size()) + ", found " +
                                std::to_string(*options.begin));
  const std::string begin = options.begin ? pieces[static_cast<std::size_t>(*options.begin)].text : "";
  Json vocabulary = Json::object();
  Json added = Json::array();
  Json unknown;
  std::size_t bytes = 0;
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    const SentencePiece& piece = pieces[id];
    if (piece.type == PieceType::unused) continue;
    vocabulary[piece.text] = id;
    if (piece.type == PieceType::byte) ++bytes;
    if (piece.type == PieceType::unknown) unknown = piece.text;
    if (piece.type == PieceType::unknown || piece.type == PieceType::control)
      added.push_back(added_token_json(static_cast<TokenId>(id), piece.text, Added::special));
    if (piece.type == PieceType::user_defined)
      added.push_back(added_token_json(static_cast<TokenId>(id), piece.text, Added::ordinary));
  }
  Json merges = Json::array();
  for (const auto& [left, right] : merges_from_scores(pieces)) merges.push_back(Json::array({left, right}));
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added},
                     {"normalizer", normalizer_json(options.prefix_space)},
                     {"pre_tokenizer", nullptr},
                     {"post_processor", begin_template_json(options.begin, begin)},
                     {"decoder", decoder_json(options.prefix_space)},
                     {"model",
                      {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", unknown},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", true},
                       {"byte_fallback", bytes > 0},
                       {"ignore_merges", false},
                       {"vocab", vocabulary},
                       {"merges", merges}}}};
  return json.dump();
}

}  // namespace retort::text
