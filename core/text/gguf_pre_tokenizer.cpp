// The patterns are those of the models' own tokenizer.json files; "default" is llama.cpp's own (src/llama-vocab.cpp).
#include "text/gguf_pre_tokenizer.h"

#include <algorithm>

#include "text/shared_patterns.h"

namespace retort::text {
namespace {

using Json = nlohmann::json;

Json byte_level_json(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json split(const char* pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

Json sequence(Json steps) {
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

std::vector<GgufPreTokenizer> make_table() {
  const Json llama3 = sequence(Json::array({split(llama3_pattern), byte_level_json(false)}));
  const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
  std::vector<GgufPreTokenizer> table;
  table.push_back({.name = "gpt-2", .pre_tokenizer = byte_level_json(true)});
  table.push_back({.name = "qwen2",
                   .pre_tokenizer = sequence(Json::array({split(qwen2_pattern), byte_level_json(false)})),
                   .nfc = true});
  for (const char* name : {"llama-bpe", "llama3", "llama-v3"})
    table.push_back({.name = name, .pre_tokenizer = llama3, .ignore_merges = true, .adds_begin = true});
  table.push_back({.name = "smollm", .pre_tokenizer = sequence(Json::array({digits, byte_level_json(true)}))});
  table.push_back({.name = "default",
                   .pre_tokenizer = sequence(
                       Json::array({split(R"([\p{P}\$\+<=>\^~\|]+)"),
                                    split(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))"),
                                    split(R"(\p{N}+)"), split("[0-9][0-9][0-9]"), byte_level_json(false)}))});
  return table;
}

/// The patterns that cut in turn, or nothing where a step is of another kind.
bool append_patterns(const Json& step, std::vector<std::string>& patterns) {
  const auto flag = [&](const char* key, bool absent) { return step.contains(key) ? step[key] == true : absent; };
  const Json& type = step.at("type");
  if (type == "Sequence") {
    const Json& parts = step.at("pretokenizers");
    return std::all_of(parts.begin(), parts.end(), [&](const Json& part) { return append_patterns(part, patterns); });
  }
  if (type == "ByteLevel") {
    if (flag("use_regex", true)) patterns.emplace_back(gpt2_pattern);
    return !flag("add_prefix_space", true);
  }
  if (type == "Digits") {
    patterns.emplace_back(R"(\p{N})");
    return flag("individual_digits", false);
  }
  if (type != "Split" || !step.at("pattern").contains("Regex")) return false;
  patterns.push_back(step["pattern"]["Regex"].get<std::string>());
  // What is removed between the matches is nothing: every character is part of a match of the patterns in the table.
  return step.at("behavior") == "Isolated" || (step["behavior"] == "Removed" && flag("invert", false));
}

}  // namespace

const GgufPreTokenizer* gguf_pre_tokenizer_of(const Json& pre_tokenizer) {
  std::vector<std::string> patterns;
  if (!pre_tokenizer.is_object() || !append_patterns(pre_tokenizer, patterns)) return nullptr;
  for (const GgufPreTokenizer& known : gguf_pre_tokenizers()) {
    std::vector<std::string> known_patterns;
    if (append_patterns(known.pre_tokenizer, known_patterns) && known_patterns == patterns) return &known;
  }
  return nullptr;
}

const std::vector<GgufPreTokenizer>& gguf_pre_tokenizers() {
  static const std::vector<GgufPreTokenizer> table = make_table();
  return table;
}

const GgufPreTokenizer* find_gguf_pre_tokenizer(std::string_view name) {
  for (const GgufPreTokenizer& known : gguf_pre_tokenizers())
    if (known.name == name) return &known;
  return nullptr;
}

bool cuts_at_spaces(const Json& pre_tokenizer) {
  return pre_tokenizer.is_object() && pre_tokenizer.value("type", "") == "Split" &&
         pre_tokenizer.value("pattern", Json()) == Json{{"String", " "}};
}

}  // namespace retort::text
