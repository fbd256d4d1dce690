// GGUF metadata → tokenizer.json. See gguf_tokenizer.h; the way back is gguf_tokenizer_export.cpp.
#include "text/gguf_tokenizer.h"

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "text/gguf_pre_tokenizer.h"
#include "text/sentencepiece.h"
#include "text/tokenizer_json_parts.h"
#include "text/utf8.h"

namespace retort::text {
namespace {

using Json = nlohmann::json;

constexpr char prefix[] = "tokenizer.ggml.";

/// Typed access that refuses by key. Borrows the metadata.
class Keys {
 public:
  Keys(const model::GgufMetadata& metadata, const std::string& origin) : metadata_(metadata), origin_(origin) {}

  [[noreturn]] void refuse(const std::string& key, const std::string& expected, const std::string& found) const {
    throw std::invalid_argument(origin_ + ": " + prefix + key + ": expected " + expected + ", found " + found);
  }

  const model::GgufValue* find(const std::string& key) const {
    const auto found = metadata_.find(prefix + key);
    return found == metadata_.end() ? nullptr : &found->second;
  }

  /// nullptr if the key is absent.
  template <class T>
  const T* find_as(const std::string& key, const char* type) const {
    const model::GgufValue* value = find(key);
    if (value == nullptr) return nullptr;
    const T* typed = std::get_if<T>(value);
    if (typed == nullptr) refuse(key, type, "a value of another type");
    return typed;
  }

  template <class T>
  const T& need(const std::string& key, const char* type) const {
    const T* found = find_as<T>(key, type);
    if (found == nullptr) refuse(key, type, "nothing");
    return *found;
  }

  bool flag_or(const std::string& key, bool absent) const {
    const bool* found = find_as<bool>(key, "a bool");
    return found == nullptr ? absent : *found;
  }

  /// An id below `size`, of any integer type.
  std::optional<TokenId> id(const std::string& key, std::size_t size) const {
    const model::GgufValue* value = find(key);
    if (value == nullptr) return std::nullopt;
    const std::string expected = "an id below " + std::to_string(size);
    return std::visit(
        [&](const auto& number) -> TokenId {
          using Number = std::decay_t<decltype(number)>;
          if constexpr (std::is_integral_v<Number> && !std::is_same_v<Number, bool>) {
            if (std::cmp_less(number, 0) || std::cmp_greater_equal(number, size))
              refuse(key, expected, std::to_string(number));
            return static_cast<TokenId>(number);
          } else {
            refuse(key, expected, "a value of another type");
          }
        },
        *value);
  }

 private:
  const model::GgufMetadata& metadata_;
  const std::string& origin_;
};

std::vector<SentencePiece> read_tokens(const Keys& keys) {
  const auto& texts = keys.need<std::vector<std::string>>("tokens", "an array of strings");
  const auto* types = keys.find_as<std::vector<std::int32_t>>("token_type", "an array of int32");
  const auto* scores = keys.find_as<std::vector<float>>("scores", "an array of float32");
  const std::string length = "an array of " + std::to_string(texts.size()) + ", as many as tokens";
  if (texts.empty()) keys.refuse("tokens", "at least one token", "none");
  if (types != nullptr && types->size() != texts.size())
    keys.refuse("token_type", length, std::to_string(types->size()));
  if (scores != nullptr && scores->size() != texts.size())
    keys.refuse("scores", length, std::to_string(scores->size()));
  std::unordered_map<std::string_view, std::size_t> seen;
  std::vector<SentencePiece> tokens(texts.size());
  for (std::size_t id = 0; id < texts.size(); ++id) {
    const std::int32_t type = types == nullptr ? 1 : (*types)[id];
    if (type < 1 || type > 6)
      keys.refuse("token_type", "types from 1 to 6", std::to_string(type) + " for token " + std::to_string(id));
    tokens[id] = {texts[id], scores == nullptr ? 0 : (*scores)[id], static_cast<PieceType>(type)};
    if (tokens[id].type == PieceType::unused) continue;
    const std::string text = replace_invalid_utf8(texts[id]);
    const std::string place = "token " + std::to_string(id);
    if (text != texts[id]) keys.refuse("tokens", "UTF-8", "\"" + text + "\", " + place);
    if (text.empty()) keys.refuse("tokens", "texts", "an empty one, " + place);
    const auto [first, inserted] = seen.emplace(texts[id], id);
    if (!inserted)
      keys.refuse("tokens", "each token once",
                  "\"" + text + "\" as token " + std::to_string(first->second) + " and as " + place);
  }
  return tokens;
}

const GgufPreTokenizer& read_pre_tokenizer(const Keys& keys) {
  const std::string* name = keys.find_as<std::string>("pre", "a string");
  const GgufPreTokenizer* known = find_gguf_pre_tokenizer(name == nullptr ? "default" : *name);
  if (known != nullptr) return *known;
  std::string names;
  for (const GgufPreTokenizer& other : gguf_pre_tokenizers()) names += (names.empty() ? "" : ", ") + other.name;
  keys.refuse("pre", "a pre-tokenizer that is implemented (" + names + ")", "\"" + replace_invalid_utf8(*name) + "\"");
}

/// A merge is two tokens of the vocabulary that make a third, with one space between them.
Json read_merges(const Keys& keys, const Json& vocabulary) {
  Json result = Json::array();
  const auto& merges = keys.need<std::vector<std::string>>("merges", "an array of strings");
  for (std::size_t i = 0; i < merges.size(); ++i) {
    const std::string& merge = merges[i];
    const std::string shown = "\"" + replace_invalid_utf8(merge) + "\", merge " + std::to_string(i);
    const auto space = merge.find(' ', 1);
    if (space == std::string::npos) keys.refuse("merges", "two tokens with a space between them", shown);
    const std::string left = merge.substr(0, space);
    const std::string right = merge.substr(space + 1);
    for (const std::string& token : {left, right, left + right})
      if (!vocabulary.contains(token))
        keys.refuse("merges", "tokens of tokenizer.ggml.tokens",
                    shown + ": \"" + replace_invalid_utf8(token) + "\" is none");
    result.push_back(Json::array({left, right}));
  }
  return result;
}

std::string byte_level_json(const Keys& keys) {
  const std::vector<SentencePiece> tokens = read_tokens(keys);
  const GgufPreTokenizer& pre = read_pre_tokenizer(keys);
  Json vocabulary = Json::object();
  Json added = Json::array();
  for (std::size_t id = 0; id < tokens.size(); ++id) {
    const auto& [text, score, type] = tokens[id];
    if (type == PieceType::unused) continue;
    if (type == PieceType::normal || type == PieceType::byte)
      vocabulary[text] = id;
    else
      added.push_back(added_token_json(static_cast<TokenId>(id), text,
                                       type == PieceType::user_defined ? Added::ordinary : Added::special));
  }
  std::optional<TokenId> begin = keys.id("bos_token_id", tokens.size());
  if (!keys.flag_or("add_bos_token", pre.adds_begin)) begin.reset();
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

std::string sentencepiece_json(const Keys& keys) {
  keys.need<std::vector<float>>("scores", "an array of float32");
  keys.need<std::vector<std::int32_t>>("token_type", "an array of int32");
  const std::vector<SentencePiece> tokens = read_tokens(keys);
  SentencePieceOptions options;
  options.prefix_space = keys.flag_or("add_space_prefix", true);
  constexpr TokenId llama_begin = 1;  // llama.cpp's default for this model
  if (keys.flag_or("add_bos_token", true)) options.begin = keys.id("bos_token_id", tokens.size()).value_or(llama_begin);
  return sentencepiece_tokenizer_json(tokens, options);
}

}  // namespace

std::string tokenizer_json_from_gguf(const model::GgufMetadata& metadata, const std::string& origin) {
  const Keys keys(metadata, origin);
  const auto& type = keys.need<std::string>("model", "a string");
  if (type == "gpt2") return byte_level_json(keys);
  if (type == "llama") return sentencepiece_json(keys);
  keys.refuse("model", "\"gpt2\" or \"llama\" (others are not implemented)", "\"" + replace_invalid_utf8(type) + "\"");
}

}  // namespace retort::text
