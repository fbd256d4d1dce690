// Reads tokenizer.json: model BPE, on bytes (pre-tokenizer and decoder ByteLevel) or on characters. Of post_processor
// only the token that it puts first is kept; truncation and padding are not applied: callers place special tokens.
#include <utility>

#include "host/base/utf8.h"
#include "text/byte_alphabet.h"
#include "text/tokenizer_json_parts.h"
#include "text/tokenizer_state.h"

namespace retort::text {

using host::JsonCursor;

namespace {

constexpr std::int64_t greatest_id = (std::int64_t{1} << 21) - 1;  // bounds the table that is indexed by id

/// `key` may be absent, null or `neutral`.
void require_neutral(const JsonCursor& holder, const char* key, const nlohmann::json& neutral) {
  if (holder.has(key) && holder.at(key).json() != neutral)
    holder.at(key).refuse(neutral.dump() + " (other values are not implemented)");
}

/// Both spellings: "left right" and ["left", "right"].
std::pair<std::string, std::string> read_pair(const JsonCursor& merge) {
  if (merge.json().is_array()) {
    if (merge.size() != 2) merge.refuse("a pair of tokens");
    return {merge.at(std::size_t{0}).string(), merge.at(1).string()};
  }
  const std::string text = merge.string();
  const auto space = text.find(' ');
  if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos)
    merge.refuse("two tokens with one space between them");
  return {text.substr(0, space), text.substr(space + 1)};
}

AddedToken read_added_token(const JsonCursor& json) {
  const auto flag = [&](const char* key) { return json.has(key) && json.at(key).boolean(); };
  AddedToken token;
  token.id = static_cast<TokenId>(json.at("id").integer(0, greatest_id));
  token.content = json.at("content").string();
  if (token.content.empty()) json.at("content").refuse("a text that is not empty");
  token.special = flag("special");
  token.normalized = flag("normalized");
  token.single_word = flag("single_word");
  token.strip_left = flag("lstrip");
  token.strip_right = flag("rstrip");
  return token;
}

}  // namespace

void Tokenizer::State::read_vocabulary(const JsonCursor& vocabulary) {
  ids.reserve(vocabulary.object().size());
  for (const auto& item : vocabulary.json().items()) {
    const auto id = vocabulary.at(item.key()).integer(0, greatest_id);
    const auto place = static_cast<std::size_t>(id);
    if (entries.size() <= place) entries.resize(place + 1);
    if (!entries[place].text.empty())
      vocabulary.at(item.key()).refuse("an id of its own", "the id of \"" + entries[place].text + "\"");
    entries[place].bytes = decoder.bytes_of(item.key());
    entries[place].text = item.key();
    ids.emplace(item.key(), static_cast<TokenId>(id));
  }
}

/// Real byte-level vocabularies lack bytes: SmolLM2's some control characters and most that UTF-8 never has. Where a
/// vocabulary has fewer than letters, digits and punctuation it is refused: it is no byte-level one.
void Tokenizer::State::read_byte_ids(const JsonCursor& vocabulary) {
  for (unsigned value = 0; value < 256; ++value) {
    const auto byte = static_cast<unsigned char>(value);
    const std::string& token = byte_level ? alphabet_character(byte) : byte_token(byte);
    const auto found = ids.find(token);
    const bool printable = byte >= ' ' && byte <= '~';
    if (found == ids.end() && (!byte_level || printable))
      vocabulary.refuse(
          byte_level ? "a token for each printable byte" : "a token for each of the 256 bytes",
          "none for byte " + std::to_string(value) + ", \"" + token + "\"; text with it could not be encoded");
    byte_ids[value] = found == ids.end() ? unknown.value_or(no_token) : found->second;
  }
}

void Tokenizer::State::read_merges(const JsonCursor& merges_json) {
  merges.reserve(merges_json.array().size());
  for (std::size_t rank = 0; rank < merges_json.size(); ++rank) {
    const JsonCursor merge = merges_json.at(rank);
    if (is_version_line(merge.json())) continue;
    const auto [left, right] = read_pair(merge);
    const auto id_of = [&, place = merge](const std::string& token) {
      const auto found = ids.find(token);
      if (found == ids.end()) place.refuse("tokens of the vocabulary", "\"" + token + "\", which is not in it");
      return found->second;
    };
    const TokenId left_id = id_of(left);
    const TokenId right_id = id_of(right);
    merges.add(left_id, right_id, static_cast<std::int32_t>(rank), id_of(left + right));
  }
}

void Tokenizer::State::read_added_tokens(const JsonCursor& added) {
  std::vector<AddedToken> raw;
  std::vector<AddedToken> normalized;
  for (std::size_t i = 0; i < added.array().size(); ++i) {
    AddedToken token = read_added_token(added.at(i));
    const auto place = static_cast<std::size_t>(token.id);
    if (entries.size() <= place) entries.resize(place + 1);
    Entry& entry = entries[place];
    if (!entry.text.empty() && entry.text != token.content)
      added.at(i).refuse("an id of its own", "the id of \"" + entry.text + "\"");
    if (!added_ids.emplace(token.content, token.id).second)
      added.at(i).refuse("each content once", "\"" + token.content + "\" twice");
    entry = {token.content, token.content, true, token.special};
    if (token.normalized) token.content = normalizer.apply(token.content);
    (token.normalized ? normalized : raw).push_back(std::move(token));
  }
  raw_tokens = AddedTokenFinder(std::move(raw));
  normalized_tokens = AddedTokenFinder(std::move(normalized));
}

/// The first token of TemplateProcessing's "single", which may stand in a Sequence of post-processors.
void Tokenizer::State::read_begin(const JsonCursor& post_processor) {
  const std::string type = post_processor.at("type").string();
  if (type == "Sequence") {
    const JsonCursor parts = post_processor.at("processors").array();
    for (std::size_t i = 0; i < parts.size(); ++i) read_begin(parts.at(i));
  } else if (type == "TemplateProcessing") {
    const JsonCursor single = post_processor.at("single").array();
    if (single.size() == 0 || !single.at(std::size_t{0}).object().has("SpecialToken")) return;
    const JsonCursor name = single.at(std::size_t{0}).at("SpecialToken").at("id");
    const JsonCursor token_ids = post_processor.at("special_tokens").at(name.string()).at("ids").array();
    if (token_ids.size() == 0) token_ids.refuse("the id of \"" + name.string() + "\"");
    begin = static_cast<TokenId>(token_ids.at(std::size_t{0}).integer(0, greatest_id));
    if (static_cast<std::size_t>(*begin) >= entries.size() || entries[static_cast<std::size_t>(*begin)].text.empty())
      token_ids.refuse("the id of a token");
  }
}

void Tokenizer::State::read_model(const JsonCursor& model) {
  // Without a type (GPT-2's own file) what has merges is BPE.
  if ((model.has("type") || !model.has("merges")) && model.at("type").string() != "BPE")
    model.at("type").refuse("\"BPE\" (other models are not implemented)");
  require_neutral(model, "dropout", 0.0);
  require_neutral(model, "continuing_subword_prefix", "");
  require_neutral(model, "end_of_word_suffix", "");
  const auto flag = [&](const char* key) { return model.has(key) && model.at(key).boolean(); };
  ignore_merges = flag("ignore_merges");
  fuse_unknown = flag("fuse_unk");
  byte_fallback = !byte_level && flag("byte_fallback");
  read_vocabulary(model.at("vocab"));
  if (model.has("unk_token")) {
    const auto found = ids.find(model.at("unk_token").string());
    if (found != ids.end()) unknown = found->second;
  }
  if (byte_level || byte_fallback) read_byte_ids(model.at("vocab"));
  if (!byte_level && !byte_fallback && !unknown)
    model.refuse("byte_fallback or an unk_token of the vocabulary", "neither; text could not be encoded");
  read_merges(model.at("merges"));
  find_word_borders();
}

void Tokenizer::State::find_word_borders() {
  words_are_separate = !byte_level && !ignore_merges && ids.contains(space_symbol);
  for (const Entry& entry : entries) {
    for (std::size_t place = entry.text.find(space_symbol, 1); place != std::string::npos && words_are_separate;
         place = entry.text.find(space_symbol, place + 1))
      words_are_separate = std::string_view(entry.text).substr(0, place).ends_with(space_symbol);
  }
}

/// The model's tokens, not the added ones. The texts are borrowed from `entries`, which are complete by now.
void Tokenizer::State::fill_whole_pieces() {
  std::vector<std::string_view> texts(entries.size());
  for (const auto& [text, id] : ids) {
    const Entry& entry = entries[static_cast<std::size_t>(id)];
    if (!byte_level)
      texts[static_cast<std::size_t>(id)] = entry.text;
    else if (from_alphabet(text))
      texts[static_cast<std::size_t>(id)] = entry.bytes;
  }
  whole_pieces.fill(texts);
}

void Tokenizer::State::read(const JsonCursor& root) {
  if (root.object().has("normalizer")) normalizer = Normalizer::from_json(root.at("normalizer"));
  if (root.has("pre_tokenizer")) pre_tokenizer = PreTokenizer::from_json(root.at("pre_tokenizer"));
  decoder = TokenDecoder::from_json(root.at("decoder"));
  byte_level = pre_tokenizer.is_byte_level();
  if (byte_level != decoder.is_byte_level())
    root.refuse("a ByteLevel pre-tokenizer with a ByteLevel decoder, or neither",
                byte_level ? "the pre-tokenizer alone" : "the decoder alone");
  read_model(root.at("model").object());
  if (root.has("added_tokens")) read_added_tokens(root.at("added_tokens"));
  if (root.has("post_processor")) read_begin(root.at("post_processor"));
  fill_whole_pieces();
}

}  // namespace retort::text
