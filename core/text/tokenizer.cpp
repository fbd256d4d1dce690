// Encoding follows Hugging Face tokenizers' order: added tokens, normaliser, pre-tokenizer, bytes, merges.
#include "text/tokenizer.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include "host/files.h"
#include "host/json.h"
#include "text/tokenizer_state.h"
#include "text/utf8.h"

namespace retort::text {
namespace {

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

std::string to_nfc(std::string_view text) {
  if (is_ascii(text)) return std::string(text);
  utf8proc_uint8_t* normalized = nullptr;
  const auto length =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &normalized, static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (length < 0) throw std::runtime_error(std::string("NFC normalisation: ") + utf8proc_errmsg(length));
  std::string result(reinterpret_cast<const char*>(normalized), static_cast<std::size_t>(length));
  std::free(normalized);
  return result;
}

void Tokenizer::State::encode_piece(std::string_view piece, std::vector<TokenId>& ids_out) const {
  thread_local std::vector<TokenId> symbols;
  if (ignore_merges) {
    std::string key;
    for (const char byte : piece)
      key += entries[static_cast<std::size_t>(byte_ids[static_cast<unsigned char>(byte)])].text;
    if (const auto whole = ids.find(key); whole != ids.end()) {
      ids_out.push_back(whole->second);
      return;
    }
  }
  symbols.clear();
  for (const char byte : piece) symbols.push_back(byte_ids[static_cast<unsigned char>(byte)]);
  merges.apply(symbols);
  ids_out.insert(ids_out.end(), symbols.begin(), symbols.end());
}

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  const auto file = std::filesystem::is_directory(path) ? path / "tokenizer.json" : path;
  return parse(host::read_file(file), file.string());
}

Tokenizer Tokenizer::parse(std::string_view json, const std::string& origin) {
  auto state = std::make_unique<State>();
  const auto document = host::parse_json(json, origin);
  state->read(model::JsonCursor(document, origin));
  state->json = json;
  return Tokenizer(std::move(state));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, Special special) const {
  std::vector<TokenId> ids;
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = replace_invalid_utf8(text);
  const bool parse_special = special == Special::parse;
  const auto encode_plain = [&](std::string_view plain) {
    state_->pre_tokenizer.split(plain, [&](std::string_view piece) { state_->encode_piece(piece, ids); });
  };
  state_->raw_tokens.split(text, parse_special, [&](const Segment& segment) {
    if (segment.token != nullptr) {
      ids.push_back(segment.token->id);
      return;
    }
    const std::string normalized = state_->normalize_nfc ? to_nfc(segment.text) : std::string(segment.text);
    state_->normalized_tokens.split(normalized, parse_special, [&](const Segment& part) {
      if (part.token != nullptr)
        ids.push_back(part.token->id);
      else
        encode_plain(part.text);
    });
  });
  return ids;
}

std::string Tokenizer::decode(const std::vector<TokenId>& ids, bool with_special) const {
  std::string bytes;
  for (const TokenId id : ids)
    if (with_special || !is_special(id)) bytes += token_bytes(id);
  return replace_invalid_utf8(bytes);
}

std::int64_t Tokenizer::vocabulary_size() const {
  return static_cast<std::int64_t>(state_->entries.size());
}

std::optional<TokenId> Tokenizer::find(std::string_view token) const {
  if (const auto added = state_->added_ids.find(token); added != state_->added_ids.end()) return added->second;
  if (const auto found = state_->ids.find(token); found != state_->ids.end()) return found->second;
  return std::nullopt;
}

std::string_view Tokenizer::token(TokenId id) const {
  if (id < 0 || id >= vocabulary_size()) return "";
  return state_->entries[static_cast<std::size_t>(id)].text;
}

std::string Tokenizer::token_bytes(TokenId id) const {
  if (id < 0 || id >= vocabulary_size()) return "";
  return state_->entries[static_cast<std::size_t>(id)].bytes;
}

bool Tokenizer::is_special(TokenId id) const {
  return id >= 0 && id < vocabulary_size() && state_->entries[static_cast<std::size_t>(id)].special;
}

std::string Tokenizer::to_json() const {
  return state_->json;
}

std::string StreamingDecoder::push(TokenId id) {
  if (tokenizer_.is_special(id)) return "";
  pending_ += tokenizer_.token_bytes(id);
  const std::size_t complete = pending_.size() - incomplete_end(pending_);
  std::string text = replace_invalid_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string StreamingDecoder::finish() {
  std::string text = replace_invalid_utf8(pending_);
  pending_.clear();
  return text;
}

}  // namespace retort::text
