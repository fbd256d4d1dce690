// See token_decoder.h. The order of the steps matters as in Hugging Face tokenizers: what stands before Fuse sees
// single tokens, what stands behind it the whole text.
#include "text/token_decoder.h"

#include <charconv>

#include "text/byte_alphabet.h"

namespace retort::text {

using host::JsonCursor;

namespace {

constexpr std::int64_t greatest_strip = 1024;

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t place = text.find(from); place != std::string::npos; place = text.find(from, place + to.size()))
    text.replace(place, from.size(), to);
  return text;
}

}  // namespace

std::string byte_token(unsigned char byte) {
  constexpr char digits[] = "0123456789ABCDEF";
  return std::string("<0x") + digits[byte >> 4] + digits[byte & 0xF] + ">";
}

int byte_of_token(std::string_view token) {
  if (token.size() != 6 || !token.starts_with("<0x") || token[5] != '>') return -1;
  unsigned value = 0;
  const auto [end, error] = std::from_chars(token.data() + 3, token.data() + 5, value, 16);
  return error == std::errc() && end == token.data() + 5 ? static_cast<int>(value) : -1;
}

TokenDecoder TokenDecoder::from_json(const JsonCursor& json) {
  TokenDecoder decoder;
  const std::string type = json.at("type").string();
  if (type == "ByteLevel") return decoder;
  if (type != "Sequence") json.at("type").refuse("\"ByteLevel\" or \"Sequence\" (other decoders are not implemented)");
  const JsonCursor parts = json.at("decoders").array();
  if (parts.size() == 1 && parts.at(std::size_t{0}).at("type").string() == "ByteLevel") return decoder;
  decoder.byte_level_ = false;
  for (std::size_t i = 0; i < parts.size(); ++i) decoder.add_steps(parts.at(i));
  return decoder;
}

void TokenDecoder::add_steps(const JsonCursor& json) {
  const std::string type = json.at("type").string();
  if (type == "Fuse") {
    fused_ = true;
  } else if (type == "Strip") {
    add_strip(json);
  } else if (type == "ByteFallback" && !fused_) {
    byte_fallback_ = true;
  } else if (type == "Replace" && !fused_ && !byte_fallback_) {
    const std::string from = json.at("pattern").at("String").string();
    if (from.empty()) json.at("pattern").at("String").refuse("a text that is not empty");
    replacements_.emplace_back(from, json.at("content").string());
  } else {
    json.at("type").refuse("Replace, ByteFallback, Fuse and Strip in this order (others are not implemented)");
  }
}

void TokenDecoder::add_strip(const JsonCursor& json) {
  if (!fused_) json.refuse("Strip behind Fuse");  // before it, every token would be stripped
  if (json.at("content").string() != " ") json.at("content").refuse("\" \" (others are not implemented)");
  json.at("stop").integer(0, 0);
  spaces_stripped_ += static_cast<std::size_t>(json.at("start").integer(0, greatest_strip));
}

std::string TokenDecoder::bytes_of(std::string_view token) const {
  // A token outside the byte-level alphabet (only ever an added one) stands for its own text.
  if (byte_level_) return from_alphabet(token).value_or(std::string(token));
  if (byte_fallback_)
    if (const int byte = byte_of_token(token); byte >= 0) return std::string(1, static_cast<char>(byte));
  std::string text(token);
  for (const auto& [from, to] : replacements_) text = replaced(std::move(text), from, to);
  return text;
}

}  // namespace retort::text
