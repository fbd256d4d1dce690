// A Tokenizer → GGUF metadata. See gguf_tokenizer.h; the way back is gguf_tokenizer.cpp.
#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <unordered_map>
#include <vector>

#include "text/gguf_pre_tokenizer.h"
#include "text/gguf_tokenizer.h"
#include "text/sentencepiece.h"
#include "text/token_decoder.h"
#include "text/tokenizer_json_parts.h"
#include "text/tokenizer_state.h"

namespace retort::text {
namespace {

using Json = nlohmann::json;
using model::GgufMetadata;

[[noreturn]] void refuse(const std::string& place, const std::string& expected, const std::string& found) {
  throw std::invalid_argument("tokenizer for GGUF: " + place + ": expected " + expected + ", found " + found);
}

Merge merge_of(const Json& merge) {
  if (merge.is_array()) return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  const auto text = merge.get<std::string>();
  const auto space = text.find(' ');
  return {text.substr(0, space), text.substr(space + 1)};
}

const Json& member(const Json& json, const char* key) {
  static const Json absent;
  const auto found = json.find(key);
  return found == json.end() ? absent : *found;
}

/// Every id's text and type; what belongs to no token is unused.
std::vector<SentencePiece> pieces_of(const Tokenizer& tokenizer, const Json& json, std::int64_t vocabulary_size) {
  if (vocabulary_size == 0) vocabulary_size = tokenizer.vocabulary_size();
  if (vocabulary_size < tokenizer.vocabulary_size())
    refuse("vocabulary_size", "at least the tokenizer's " + std::to_string(tokenizer.vocabulary_size()) + " ids",
           std::to_string(vocabulary_size));
  std::vector<SentencePiece> pieces(static_cast<std::size_t>(vocabulary_size));
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    pieces[id].text = tokenizer.token(static_cast<TokenId>(id));
    if (!pieces[id].text.empty()) continue;
    pieces[id].type = PieceType::unused;
    pieces[id].text = "[PAD" + std::to_string(id) + "]";
    while (tokenizer.find(pieces[id].text)) pieces[id].text += '_';
  }
  const Json& added = member(json, "added_tokens");
  for (const Json& token : added)
    pieces[token.at("id").get<std::size_t>()].type =
        member(token, "special") == true ? PieceType::control : PieceType::user_defined;
  return pieces;
}

void put_tokens(const std::vector<SentencePiece>& pieces, GgufMetadata& metadata) {
  std::vector<std::string> texts;
  std::vector<std::int32_t> types;
  for (const SentencePiece& piece : pieces) {
    texts.push_back(piece.text);
    types.push_back(static_cast<std::int32_t>(piece.type));
  }
  metadata["tokenizer.ggml.tokens"] = std::move(texts);
  metadata["tokenizer.ggml.token_type"] = std::move(types);
}

void put_id(const char* key, std::optional<TokenId> id, std::size_t size, GgufMetadata& metadata) {
  if (!id) return;
  if (*id < 0 || static_cast<std::size_t>(*id) >= size)
    refuse(key, "an id below " + std::to_string(size), std::to_string(*id));
  metadata[std::string("tokenizer.ggml.") + key] = static_cast<std::uint32_t>(*id);
}

void put_byte_level(const Json& json, GgufMetadata& metadata) {
  const GgufPreTokenizer* pre = gguf_pre_tokenizer_of(json.at("pre_tokenizer"));
  if (pre == nullptr)
    refuse("/pre_tokenizer", "one that llama.cpp has a name for", json.at("pre_tokenizer").dump().substr(0, 200));
  const bool ignores_merges = member(json.at("model"), "ignore_merges") == true;
  if (ignores_merges != pre->ignore_merges)
    refuse("/model/ignore_merges", std::string(pre->ignore_merges ? "true" : "false") + " with " + pre->name,
           ignores_merges ? "true" : "false");
  std::vector<std::string> merges;
  for (const Json& merge : json.at("model").at("merges")) {
    if (is_version_line(merge)) continue;
    const auto [left, right] = merge_of(merge);
    merges.push_back(left + " " + right);
  }
  metadata["tokenizer.ggml.model"] = std::string("gpt2");
  metadata["tokenizer.ggml.pre"] = pre->name;
  metadata["tokenizer.ggml.merges"] = std::move(merges);
}

/// Whether a space stands before every text: the normaliser's Prepend, or Metaspace unless it says never.
bool has_prefix_space(const Json& json) {
  const Json& normalizer = member(json, "normalizer");
  const Json& pre_tokenizer = member(json, "pre_tokenizer");
  if (!pre_tokenizer.is_null() && !cuts_at_spaces(pre_tokenizer)) {
    if (pre_tokenizer.at("type") != "Metaspace" || pre_tokenizer.at("replacement") != space_symbol)
      refuse("/pre_tokenizer", "ByteLevel, Metaspace or none", pre_tokenizer.dump().substr(0, 200));
    if (pre_tokenizer.contains("prepend_scheme")) return pre_tokenizer["prepend_scheme"] != "never";
    return member(pre_tokenizer, "add_prefix_space") != false;
  }
  Json steps = normalizer.is_object() && normalizer.at("type") == "Sequence" ? normalizer.at("normalizers")
                                                                             : Json::array({normalizer});
  const Json prepend = {{"type", "Prepend"}, {"prepend", space_symbol}};
  const Json replace = {{"type", "Replace"}, {"pattern", {{"String", " "}}}, {"content", space_symbol}};
  if (steps == Json::array({prepend, replace})) return true;
  if (steps == Json::array({replace})) return false;
  refuse("/normalizer", "spaces replaced by \"▁\"", normalizer.dump().substr(0, 200));
}

/// Scores in the order of the merges. Pieces whose merges are interleaved had the same score: they share one.
void set_scores(const std::vector<Merge>& merges, std::vector<SentencePiece>& pieces) {
  std::unordered_map<std::string, std::size_t> ids;
  for (std::size_t id = 0; id < pieces.size(); ++id) ids.emplace(pieces[id].text, id);
  std::vector<std::size_t> made(merges.size());  // the piece that a merge makes
  std::vector<std::size_t> last(pieces.size());  // a piece's last merge
  std::vector<bool> scored(pieces.size(), false);
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    made[rank] = ids.at(merges[rank].first + merges[rank].second);
    last[made[rank]] = rank;
  }
  float score = 0;
  std::size_t group_end = 0;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    if (rank > group_end) {
      score -= 1;
      group_end = rank;
    }
    group_end = std::max(group_end, last[made[rank]]);
    pieces[made[rank]].score = score;
    scored[made[rank]] = true;
  }
  for (std::size_t id = 0; id < pieces.size(); ++id)  // nothing is merged into these: SentencePiece puts them last
    if (!scored[id] && pieces[id].type == PieceType::normal) pieces[id].score = score -= 1;
}

/// llama.cpp merges any two neighbours that make a piece; BPE only those that are listed.
void check_all_merges_listed(const std::vector<Merge>& merges, const std::vector<SentencePiece>& pieces) {
  const std::set<Merge> listed(merges.begin(), merges.end());
  for (const auto& merge : merges_from_scores(pieces))
    if (!listed.contains(merge))
      refuse("/model/merges", "every way to make a token, as SentencePiece has it",
             "no \"" + merge.first + "\" + \"" + merge.second + "\"");
}

void put_sentencepiece(const Json& json, std::vector<SentencePiece>& pieces, GgufMetadata& metadata) {
  const Json& model = json.at("model");
  if (member(model, "byte_fallback") != true)
    refuse("/model/byte_fallback", "true; llama.cpp falls back to bytes", "false");
  std::vector<Merge> merges;
  for (const Json& merge : model.at("merges"))
    if (!is_version_line(merge)) merges.push_back(merge_of(merge));
  const Json& unknown = member(model, "unk_token");
  for (std::size_t id = 0; id < pieces.size(); ++id) {
    if (byte_of_token(pieces[id].text) >= 0) pieces[id].type = PieceType::byte;
    if (unknown == pieces[id].text) {
      pieces[id].type = PieceType::unknown;
      metadata["tokenizer.ggml.unknown_token_id"] = static_cast<std::uint32_t>(id);
    }
  }
  set_scores(merges, pieces);
  check_all_merges_listed(merges, pieces);
  std::vector<float> scores;
  for (const SentencePiece& piece : pieces) scores.push_back(piece.score);
  metadata["tokenizer.ggml.model"] = std::string("llama");
  metadata["tokenizer.ggml.pre"] = std::string("default");
  metadata["tokenizer.ggml.scores"] = std::move(scores);
  metadata["tokenizer.ggml.add_space_prefix"] = has_prefix_space(json);
}

bool is_byte_level(const Json& json) {
  const Json& decoder = json.at("decoder");
  if (decoder.at("type") == "ByteLevel") return true;
  return decoder.at("type") == "Sequence" && decoder.at("decoders").size() == 1 &&
         decoder.at("decoders")[0].at("type") == "ByteLevel";
}

}  // namespace

GgufMetadata gguf_tokenizer(const Tokenizer& tokenizer, const GgufTokenizerOptions& options) {
  const Json json = Json::parse(tokenizer.to_json());
  GgufMetadata metadata;
  std::vector<SentencePiece> pieces = pieces_of(tokenizer, json, options.vocabulary_size);
  if (is_byte_level(json))
    put_byte_level(json, metadata);
  else
    put_sentencepiece(json, pieces, metadata);
  put_tokens(pieces, metadata);
  metadata["tokenizer.ggml.add_bos_token"] = tokenizer.begin_token().has_value();
  put_id("bos_token_id", tokenizer.begin_token() ? tokenizer.begin_token() : options.begin, pieces.size(), metadata);
  put_id("eos_token_id", options.end, pieces.size(), metadata);
  put_id("padding_token_id", options.padding, pieces.size(), metadata);
  if (!lost_in_gguf(tokenizer).empty()) metadata["tokenizer.huggingface.json"] = tokenizer.to_json();
  return metadata;
}

}  // namespace retort::text
