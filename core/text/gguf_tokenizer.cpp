// GGUF metadata → tokenizer.json. See gguf_tokenizer.h; the way back is gguf_tokenizer_export.cpp.
#include "text/gguf_tokenizer.h"

#include <nlohmann/json.hpp>
#include <unordered_map>
#include <vector>

#include "host/base/utf8.h"
#include "model/gguf_lookup.h"
#include "text/gguf_pre_tokenizer.h"
#include "text/sentencepiece.h"
#include "text/tokenizer_json_parts.h"

namespace retort::text {
namespace {

using Json = nlohmann::json;

constexpr char model_key[] = "tokenizer.ggml.model";
constexpr char pre_key[] = "tokenizer.ggml.pre";
constexpr char tokens_key[] = "tokenizer.ggml.tokens";
constexpr char types_key[] = "tokenizer.ggml.token_type";
constexpr char scores_key[] = "tokenizer.ggml.scores";
constexpr char merges_key[] = "tokenizer.ggml.merges";
constexpr char begin_key[] = "tokenizer.ggml.bos_token_id";
constexpr char add_begin_key[] = "tokenizer.ggml.add_bos_token";
constexpr char whole_key[] = "tokenizer.huggingface.json";
constexpr char prefix_space_key[] = "tokenizer.ggml.add_space_prefix";

std::string quoted(const std::string& text) {
  return '"' + host::replace_invalid_utf8(text) + '"';
}

const std::vector<std::string>& strings(const model::GgufLookup& keys, const char* key) {
  const auto* found = keys.find_strings(key);
  if (found == nullptr) keys.refuse(key, "an array of strings");
  return *found;
}

std::optional<TokenId> find_id(const model::GgufLookup& keys, const char* key, std::size_t size) {
  const auto id = keys.find_integer(key, 0, static_cast<std::int64_t>(size) - 1);
  return id ? std::optional(static_cast<TokenId>(*id)) : std::nullopt;
}

/// Refuses what no vocabulary may hold: empty or broken texts, and texts that stand twice.
void check_texts(const model::GgufLookup& keys, const std::vector<SentencePiece>& tokens) {
  std::unordered_map<std::string_view, std::size_t> seen;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const auto& [text, score, type] = tokens[id];
    if (type == PieceType::unused) continue;
    const std::string place = "token " + std::to_string(id);
    if (text.empty()) keys.refuse(tokens_key, "texts", "an empty one, " + place);
    if (host::replace_invalid_utf8(text) != text) keys.refuse(tokens_key, "UTF-8", quoted(text) + ", " + place);
    const auto [first, inserted] = seen.emplace(text, id);
    if (!inserted)
      keys.refuse(tokens_key, "each token once",
                  quoted(text) + " as token " + std::to_string(first->second) + " and as " + place);
  }
}

std::vector<SentencePiece> read_tokens(const model::GgufLookup& keys) {
  const std::vector<std::string>& texts = strings(keys, tokens_key);
  const std::vector<std::int32_t>* types = keys.find_integers(types_key);
  const std::vector<float>* scores = keys.find_floats(scores_key);
  const std::string length = "an array of " + std::to_string(texts.size()) + ", as many as tokens";
  if (texts.empty()) keys.refuse(tokens_key, "at least one token");
  if (types != nullptr && types->size() != texts.size()) keys.refuse(types_key, length);
  if (scores != nullptr && scores->size() != texts.size()) keys.refuse(scores_key, length);
  std::vector<SentencePiece> tokens(texts.size());
  for (std::size_t id = 0; id < texts.size(); ++id) {
    const std::int32_t type = types == nullptr ? 1 : (*types)[id];
    if (type < 1 || type > 6)
      keys.refuse(types_key, "types from 1 to 6", std::to_string(type) + " for token " + std::to_string(id));
    tokens[id] = {texts[id], scores == nullptr ? 0 : (*scores)[id], static_cast<PieceType>(type)};
  }
  check_texts(keys, tokens);
  return tokens;
}

const GgufPreTokenizer& read_pre_tokenizer(const model::GgufLookup& keys) {
  const std::string name = keys.find_string(pre_key).value_or("default");
  if (const GgufPreTokenizer* known = find_gguf_pre_tokenizer(name)) return *known;
  std::string names;
  for (const GgufPreTokenizer& other : gguf_pre_tokenizers()) names += (names.empty() ? "" : ", ") + other.name;
  keys.refuse(pre_key, "a pre-tokenizer that is implemented (" + names + ")");
}

/// A merge is two tokens of the vocabulary that make a third, with one space between them.
Json read_merges(const model::GgufLookup& keys, const Json& vocabulary) {
  Json result = Json::array();
  const std::vector<std::string>& merges = strings(keys, merges_key);
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::string shown = quoted(merges[i]) + ", merge " + std::to_string(i);
    const auto space = merges[i].find(' ', 1);
    if (space == std::string::npos) keys.refuse(merges_key, "two tokens with a space between them", shown);
    const std::string left = merges[i].substr(0, space);
    const std::string right = merges[i].substr(space + 1);
    for (const std::string& token : {left, right, left + right})
      if (!vocabulary.contains(token))
        keys.refuse(merges_key, std::string("tokens of ") + tokens_key, shown + ": " + quoted(token) + " is none");
    result.push_back(Json::array({left, right}));
  }
  return result;
}

std::string byte_level_json(const model::GgufLookup& keys) {
  const std::vector<SentencePiece> tokens = read_tokens(keys);
  const GgufPreTokenizer& pre = read_pre_tokenizer(keys);
  Json vocabulary = Json::object();
  Json added = Json::array();
  // Hugging Face tokenizers numbers added tokens that are not in the vocabulary itself, from the vocabulary's end on.
  std::size_t end_of_model = tokens.size();
  while (end_of_model > 0 && tokens[end_of_model - 1].type != PieceType::normal) --end_of_model;
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const auto& [text, score, type] = tokens[id];
    if (type == PieceType::unused) continue;
    const bool of_the_model = type == PieceType::normal || type == PieceType::byte;
    if (of_the_model || id < end_of_model) vocabulary[text] = id;
    if (!of_the_model)
      added.push_back(added_token_json(static_cast<TokenId>(id), text,
                                       type == PieceType::user_defined ? Added::ordinary : Added::special));
  }
  std::optional<TokenId> begin = find_id(keys, begin_key, tokens.size());
  if (!keys.find_boolean(add_begin_key).value_or(pre.adds_begin)) begin.reset();
  const std::string begin_text = begin ? tokens[static_cast<std::size_t>(*begin)].text : "";
  const Json byte_level = {
      {"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", true}};
  const Json merges = read_merges(keys, vocabulary);
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added},
                     {"normalizer", pre.nfc ? Json{{"type", "NFC"}} : Json()},
                     {"pre_tokenizer", pre.pre_tokenizer},
                     {"post_processor", begin_template_json(begin, begin_text)},
                     {"decoder", byte_level},
                     {"model",
                      {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"ignore_merges", pre.ignore_merges},
                       {"vocab", vocabulary},
                       {"merges", merges}}}};
  return json.dump();
}

std::string sentencepiece_json(const model::GgufLookup& keys) {
  if (!keys.has(scores_key)) keys.refuse(scores_key, "an array of f32");
  if (!keys.has(types_key)) keys.refuse(types_key, "an array of i32");
  const std::vector<SentencePiece> tokens = read_tokens(keys);
  SentencePieceOptions options;
  options.prefix_space = keys.find_boolean(prefix_space_key).value_or(true);
  constexpr TokenId llama_begin = 1;  // llama.cpp's default for this model
  if (keys.find_boolean(add_begin_key).value_or(true))
    options.begin = find_id(keys, begin_key, tokens.size()).value_or(llama_begin);
  return sentencepiece_tokenizer_json(tokens, options);
}

/// "tokenizer.huggingface.json", which must be of the same vocabulary as the other keys.
std::string whole_json(const model::GgufLookup& keys) {
  const std::string json = keys.string(whole_key);
  const Tokenizer tokenizer = Tokenizer::parse(json, keys.origin() + ": key '" + whole_key + "'");
  const std::vector<SentencePiece> tokens = read_tokens(keys);
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const std::string_view token = tokenizer.token(static_cast<TokenId>(id));
    if (tokens[id].type != PieceType::unused && tokens[id].text != token)
      keys.refuse(
          whole_key, "the tokens of " + std::string(tokens_key),
          quoted(std::string(token)) + " beside " + quoted(tokens[id].text) + " as token " + std::to_string(id));
  }
  return json;
}

}  // namespace

std::string tokenizer_json_from_gguf(const model::GgufMetadata& metadata, const std::string& origin) {
  const model::GgufLookup keys(metadata, origin);
  if (keys.has(whole_key)) return whole_json(keys);
  const std::string type = keys.string(model_key);
  if (type == "gpt2") return byte_level_json(keys);
  if (type == "llama") return sentencepiece_json(keys);
  keys.refuse(model_key, "\"gpt2\" or \"llama\" (others are not implemented)");
}

}  // namespace retort::text
