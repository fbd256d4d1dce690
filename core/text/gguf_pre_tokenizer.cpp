// The patterns are those of the models' own tokenizer.json files; "default" is llama.cpp's own (src/llama-vocab.cpp).
#include "text/gguf_pre_tokenizer.h"

namespace retort::text {
namespace {

using Json = nlohmann::json;

// Qwen2 and Llama 3 differ in how many digits may stand together.
const char qwen2_pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
const char llama3_pattern[] =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", true}, {"use_regex", use_regex}};
}

Json split(const char* pattern) {
  return {{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}, {"invert", false}};
}

Json sequence(Json steps) {
  return {{"type", "Sequence"}, {"pretokenizers", std::move(steps)}};
}

std::vector<GgufPreTokenizer> make_table() {
  const Json llama3 = sequence(Json::array({split(llama3_pattern), byte_level(false)}));
  const Json digits = {{"type", "Digits"}, {"individual_digits", true}};
  std::vector<GgufPreTokenizer> table;
  table.push_back({.name = "gpt-2", .pre_tokenizer = byte_level(true)});
  table.push_back({.name = "qwen2",
                   .pre_tokenizer = sequence(Json::array({split(qwen2_pattern), byte_level(false)})),
                   .nfc = true});
  for (const char* name : {"llama-bpe", "llama3", "llama-v3"})
    table.push_back({.name = name, .pre_tokenizer = llama3, .ignore_merges = true, .adds_begin = true});
  table.push_back({.name = "smollm", .pre_tokenizer = sequence(Json::array({digits, byte_level(true)}))});
  table.push_back({.name = "default",
                   .pre_tokenizer = sequence(
                       Json::array({split(R"([\p{P}\$\+<=>\^~\|]+)"),
                                    split(R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S))"),
                                    split(R"(\p{N}+)"), split("[0-9][0-9][0-9]"), byte_level(false)}))});
  return table;
}

}  // namespace

const std::vector<GgufPreTokenizer>& gguf_pre_tokenizers() {
  static const std::vector<GgufPreTokenizer> table = make_table();
  return table;
}

const GgufPreTokenizer* find_gguf_pre_tokenizer(std::string_view name) {
  for (const GgufPreTokenizer& known : gguf_pre_tokenizers())
    if (known.name == name) return &known;
  return nullptr;
}

}  // namespace retort::text
