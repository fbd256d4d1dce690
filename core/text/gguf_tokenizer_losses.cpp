// What a tokenizer.json says and GGUF's keys do not. See gguf_tokenizer.h.
#include <nlohmann/json.hpp>

#include "text/byte_alphabet.h"
#include "text/gguf_pre_tokenizer.h"
#include "text/gguf_tokenizer.h"

namespace retort::text {
namespace {

using Json = nlohmann::json;

const Json& member_or_null(const Json& json, const char* key) {
  static const Json absent;
  const auto found = json.find(key);
  return found == json.end() ? absent : *found;
}

/// The steps of a Sequence of Sequences, or the one step.
void append_steps(const Json& part, const char* list, Json& steps) {
  if (part.is_null()) return;
  if (part.at("type") != "Sequence") return steps.push_back(part);
  for (const Json& step : part.at(list)) append_steps(step, list, steps);
}

std::string named(const Json& steps) {
  std::string names;
  for (const Json& step : steps) names += (names.empty() ? "" : ", ") + step.at("type").get<std::string>();
  return names;
}

void add_token_losses(const Json& json, bool normalises, std::vector<std::string>& lost) {
  for (const Json& token : member_or_null(json, "added_tokens")) {
    std::string flags;
    for (const char* flag : {"lstrip", "rstrip", "single_word", "normalized"})
      if (member_or_null(token, flag) == true && (normalises || std::string(flag) != "normalized"))
        flags += (flags.empty() ? "" : ", ") + std::string(flag);
    if (!flags.empty()) lost.push_back("added token " + token.at("content").dump() + ": " + flags);
  }
}

/// A name of a pre-tokenizer stands for a normaliser too, which is put back when the file is read.
void add_byte_level_losses(const Tokenizer& tokenizer, const Json& json, const Json& normalizer,
                           std::vector<std::string>& lost) {
  const GgufPreTokenizer* pre = gguf_pre_tokenizer_of(member_or_null(json, "pre_tokenizer"));
  const Json meant = pre != nullptr && pre->nfc ? Json::array({{{"type", "NFC"}}}) : Json::array();
  if (normalizer != meant)
    lost.push_back(normalizer.empty() ? "no normalizer (" + pre->name + " has NFC)"
                                      : "normalizer: " + named(normalizer));
  const Json& unknown = member_or_null(json.at("model"), "unk_token");
  if (!unknown.is_string() || !tokenizer.find(unknown.get<std::string>())) return;
  for (unsigned byte = 0; byte < 256; ++byte)
    if (!tokenizer.find(alphabet_character(static_cast<unsigned char>(byte)))) {
      lost.push_back("unk_token " + unknown.dump() + " for bytes without a token");
      return;
    }
}

}  // namespace

std::vector<std::string> lost_in_gguf(const Tokenizer& tokenizer) {
  const Json json = Json::parse(tokenizer.to_json());
  Json normalizer = Json::array(), decoder = Json::array();
  append_steps(member_or_null(json, "normalizer"), "normalizers", normalizer);
  append_steps(member_or_null(json, "decoder"), "decoders", decoder);
  std::vector<std::string> lost;
  add_token_losses(json, !normalizer.empty(), lost);
  if (decoder.size() == 1 && decoder[0].at("type") == "ByteLevel") {
    add_byte_level_losses(tokenizer, json, normalizer, lost);
  } else {
    const Json& pre_tokenizer = member_or_null(json, "pre_tokenizer");
    if (!pre_tokenizer.is_null() && !cuts_at_spaces(pre_tokenizer)) lost.emplace_back("pre_tokenizer: Metaspace");
    if (member_or_null(json.at("model"), "ignore_merges") == true) lost.emplace_back("ignore_merges");
  }
  return lost;
}

}  // namespace retort::text
