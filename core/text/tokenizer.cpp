// Encoding follows Hugging Face tokenizers' order: added tokens, normaliser, pre-tokenizer, bytes, merges.
#include "text/tokenizer.h"

#include <cstring>
#include <stdexcept>
#include <utility>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/utf8.h"
#include "model/file_kind.h"
#include "model/gguf_file.h"
#include "text/gguf_tokenizer.h"
#include "text/tokenizer_state.h"

namespace retort::text {
namespace {

bool is_valid_utf8(std::string_view text) {
  while (!text.empty()) {
    std::uint64_t eight = 0;
    while (text.size() >= sizeof eight) {  // ASCII, eight bytes at a time
      std::memcpy(&eight, text.data(), sizeof eight);
      if ((eight & 0x8080808080808080U) != 0) break;
      text.remove_prefix(sizeof eight);
    }
    if (text.empty()) break;
    const std::size_t length = host::character_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace

Tokenizer::Tokenizer(std::unique_ptr<State> state) : state_(std::move(state)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
  return load(path, Source::packed);
}

Tokenizer Tokenizer::load(const std::filesystem::path& path, Source source) {
  const bool folder = std::filesystem::is_directory(path);
  if (folder && source == Source::packed)
    if (auto state = State::from_packed(path)) return Tokenizer(std::move(state));
  const auto file = folder ? path / "tokenizer.json" : path;
  if (!model::is_gguf(file)) {
    if (const auto kind = model::kind_of_file(file))
      throw std::invalid_argument("'" + file.string() + "': expected a tokenizer.json, found " + *kind);
    return parse(host::read_file(file), file.string());
  }
  const model::GgufFile gguf(file);
  return parse(tokenizer_json_from_gguf(gguf.metadata(), file.string()), file.string());
}

Tokenizer Tokenizer::parse(std::string_view json, const std::string& origin) {
  auto state = std::make_unique<State>();
  const auto document = host::parse_json(json, origin);
  state->read(host::JsonCursor(document, origin));
  state->json = json;
  return Tokenizer(std::move(state));
}

std::vector<TokenId> Tokenizer::encode(std::string_view text, Special special) const {
  std::vector<TokenId> ids;
  std::string repaired;
  if (!is_valid_utf8(text)) text = repaired = host::replace_invalid_utf8(text);
  const bool parse_special = special == Special::parse;
  const char* const begin = text.data();
  state_->raw_tokens.split(text, parse_special, [&](const Segment& segment) {
    if (segment.token != nullptr) {
      ids.push_back(segment.token->id);
      return;
    }
    auto place = segment.text.data() == begin ? PreTokenizer::Place::first : PreTokenizer::Place::later;
    const std::string normalized = state_->normalizer.apply(segment.text);
    state_->normalized_tokens.split(normalized, parse_special, [&](const Segment& part) {
      if (part.token != nullptr)
        ids.push_back(part.token->id);
      else
        state_->pre_tokenizer.split(
            part.text, [&](std::string_view piece) { state_->encode_piece(piece, ids); }, place);
      place = PreTokenizer::Place::later;
    });
  });
  return ids;
}

std::string Tokenizer::decode(const std::vector<TokenId>& ids, bool with_special) const {
  std::string bytes;
  for (const TokenId id : ids)
    if (with_special || !is_special(id)) bytes += token_bytes(id);
  std::size_t stripped = 0;
  while (stripped < state_->decoder.spaces_stripped() && stripped < bytes.size() && bytes[stripped] == ' ') ++stripped;
  return host::replace_invalid_utf8(std::string_view(bytes).substr(stripped));
}

std::optional<TokenId> Tokenizer::begin_token() const {
  return state_->begin;
}

std::int64_t Tokenizer::vocabulary_size() const {
  return static_cast<std::int64_t>(state_->texts.size());
}

std::optional<TokenId> Tokenizer::find(std::string_view token) const {
  if (const auto added = state_->added_ids.find(token); added != state_->added_ids.end()) return added->second;
  return state_->texts.find(token);
}

std::string_view Tokenizer::token(TokenId id) const {
  return state_->texts.contains(id) ? state_->texts.text(id) : std::string_view();
}

std::string Tokenizer::token_bytes(TokenId id) const {
  return state_->texts.contains(id) ? std::string(state_->texts.bytes(id)) : std::string();
}

bool Tokenizer::is_special(TokenId id) const {
  return state_->texts.contains(id) && state_->texts.special(id);
}

bool Tokenizer::is_added(TokenId id) const {
  return state_->texts.contains(id) && state_->texts.added(id);
}

std::string Tokenizer::to_json() const {
  if (state_->source == nullptr) return state_->json;
  return {reinterpret_cast<const char*>(state_->source->data()), state_->source->bytes()};
}

StreamingDecoder::StreamingDecoder(const Tokenizer& tokenizer, Place place)
    : tokenizer_(tokenizer), strip_(place == Place::text_begin ? tokenizer.state_->decoder.spaces_stripped() : 0) {}

std::string StreamingDecoder::push(TokenId id) {
  if (tokenizer_.is_special(id)) return "";
  pending_ += tokenizer_.token_bytes(id);
  while (strip_ > 0 && !pending_.empty()) {
    if (pending_[0] == ' ') {
      pending_.erase(0, 1);
      --strip_;
    } else {
      strip_ = 0;
    }
  }
  const std::size_t complete = pending_.size() - host::incomplete_end(pending_);
  std::string text = host::replace_invalid_utf8(std::string_view(pending_).substr(0, complete));
  pending_.erase(0, complete);
  return text;
}

std::string StreamingDecoder::finish() {
  std::string text = host::replace_invalid_utf8(pending_);
  pending_.clear();
  return text;
}

}  // namespace retort::text
