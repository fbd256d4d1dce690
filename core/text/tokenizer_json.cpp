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

void Tokenizer::State::read_vocabulary(const JsonCursor& vocabulary, Reading& reading) const {
  std::vector<TokenTexts::Token>& tokens = reading.tokens;
  reading.ids.reserve(vocabulary.object().size());
  for (const auto& item : vocabulary.json().items()) {
    const auto id = vocabulary.at(item.key()).integer(0, greatest_id);
    const auto place = static_cast<std::size_t>(id);
    if (tokens.size() <= place) tokens.resize(place + 1);
    if (!tokens[place].text.empty())
      vocabulary.at(item.key()).refuse("an id of its own", "the id of \"" + tokens[place].text + "\"");
    tokens[place].bytes = decoder.bytes_of(item.key());
    tokens[place].text = item.key();
    tokens[place].model = true;
    reading.ids.emplace(item.key(), static_cast<TokenId>(id));
  }
}

/// Real byte-level vocabularies lack bytes: SmolLM2's some control characters and most that UTF-8 never has. Where a
/// vocabulary has fewer than letters, digits and punctuation it is refused: it is no byte-level one.
void Tokenizer::State::read_byte_ids(const JsonCursor& vocabulary, const Reading& reading) {
  for (unsigned value = 0; value < 256; ++value) {
    const auto byte = static_cast<unsigned char>(value);
    const std::string& token = byte_level ? alphabet_character(byte) : byte_token(byte);
    const auto found = reading.ids.find(token);
    const bool printable = byte >= ' ' && byte <= '~';
    if (found == reading.ids.end() && (!byte_level || printable))
      vocabulary.refuse(
          byte_level ? "a token for each printable byte" : "a token for each of the 256 bytes",
          "none for byte " + std::to_string(value) + ", \"" + token + "\"; text with it could not be encoded");
    byte_ids[value] = found == reading.ids.end() ? unknown.value_or(no_token) : found->second;
  }
}

void Tokenizer::State::read_merges(const JsonCursor& merges_json, const Reading& reading) {
  merges.reserve(merges_json.array().size());
  for (std::size_t rank = 0; rank < merges_json.size(); ++rank) {
    const JsonCursor merge = merges_json.at(rank);
    if (is_version_line(merge.json())) continue;
    const auto [left, right] = read_pair(merge);
    const auto id_of = [&, place = merge](const std::string& token) {
      const auto found = reading.ids.find(token);
      if (found == reading.ids.end()) place.refuse("tokens of the vocabulary", "\"" + token + "\", which is not in it");
      return found->second;
    };
    const TokenId left_id = id_of(left);
    const TokenId right_id = id_of(right);
    merges.add(left_id, right_id, static_cast<std::int32_t>(rank), id_of(left + right));
  }
}

void Tokenizer::State::read_added_tokens(const JsonCursor& added, Reading& reading) {
  std::vector<AddedToken> all;
  for (std::size_t i = 0; i < added.array().size(); ++i) {
    AddedToken token = read_added_token(added.at(i));
    const auto place = static_cast<std::size_t>(token.id);
    if (reading.tokens.size() <= place) reading.tokens.resize(place + 1);
    TokenTexts::Token& entry = reading.tokens[place];
    if (!entry.text.empty() && entry.text != token.content)
      added.at(i).refuse("an id of its own", "the id of \"" + entry.text + "\"");
    if (!added_ids.emplace(token.content, token.id).second)
      added.at(i).refuse("each content once", "\"" + token.content + "\" twice");
    entry = {token.content, token.content, true, token.special, entry.model};
    all.push_back(std::move(token));
  }
  add_finders(std::move(all));
}

std::vector<AddedToken> Tokenizer::State::added_tokens(const JsonCursor& added) {
  std::vector<AddedToken> all;
  for (std::size_t i = 0; i < added.array().size(); ++i) all.push_back(read_added_token(added.at(i)));
  return all;
}

void Tokenizer::State::add_finders(std::vector<AddedToken> tokens) {
  std::vector<AddedToken> raw, normalized;
  for (AddedToken& token : tokens) {
    if (token.normalized) token.content = normalizer.apply(token.content);
    (token.normalized ? normalized : raw).push_back(std::move(token));
  }
  raw_tokens = AddedTokenFinder(std::move(raw));
  normalized_tokens = AddedTokenFinder(std::move(normalized));
}

/// The first token of TemplateProcessing's "single", which may stand in a Sequence of post-processors.
void Tokenizer::State::read_begin(const JsonCursor& post_processor, const Reading& reading) {
  const std::string type = post_processor.at("type").string();
  if (type == "Sequence") {
    const JsonCursor parts = post_processor.at("processors").array();
    for (std::size_t i = 0; i < parts.size(); ++i) read_begin(parts.at(i), reading);
  } else if (type == "TemplateProcessing") {
    const JsonCursor single = post_processor.at("single").array();
    if (single.size() == 0 || !single.at(std::size_t{0}).object().has("SpecialToken")) return;
    const JsonCursor name = single.at(std::size_t{0}).at("SpecialToken").at("id");
    const JsonCursor token_ids = post_processor.at("special_tokens").at(name.string()).at("ids").array();
    if (token_ids.size() == 0) token_ids.refuse("the id of \"" + name.string() + "\"");
    begin = static_cast<TokenId>(token_ids.at(std::size_t{0}).integer(0, greatest_id));
    const auto place = static_cast<std::size_t>(*begin);
    if (place >= reading.tokens.size() || reading.tokens[place].text.empty()) token_ids.refuse("the id of a token");
  }
}

void Tokenizer::State::read_model(const JsonCursor& model, Reading& reading) {
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
  read_vocabulary(model.at("vocab"), reading);
  if (model.has("unk_token")) {
    const auto found = reading.ids.find(model.at("unk_token").string());
    if (found != reading.ids.end()) unknown = found->second;
  }
  if (byte_level || byte_fallback) read_byte_ids(model.at("vocab"), reading);
  if (!byte_level && !byte_fallback && !unknown)
    model.refuse("byte_fallback or an unk_token of the vocabulary", "neither; text could not be encoded");
  read_merges(model.at("merges"), reading);
  find_word_borders(reading);
}

void Tokenizer::State::find_word_borders(const Reading& reading) {
  words_are_separate = !byte_level && !ignore_merges && reading.ids.contains(space_symbol);
  for (const TokenTexts::Token& entry : reading.tokens) {
    for (std::size_t place = entry.text.find(space_symbol, 1); place != std::string::npos && words_are_separate;
         place = entry.text.find(space_symbol, place + 1))
      words_are_separate = std::string_view(entry.text).substr(0, place).ends_with(space_symbol);
  }
}

/// The model's tokens, not the added ones.
void Tokenizer::State::fill_whole_pieces(const Reading& reading) {
  std::vector<std::string_view> pieces(reading.tokens.size());
  for (const auto& [text, id] : reading.ids) {
    const TokenTexts::Token& token = reading.tokens[static_cast<std::size_t>(id)];
    if (!byte_level)
      pieces[static_cast<std::size_t>(id)] = token.text;
    else if (from_alphabet(text))
      pieces[static_cast<std::size_t>(id)] = token.bytes;
  }
  whole_pieces.fill(pieces);
}

void Tokenizer::State::read_parts(const JsonCursor& root) {
  if (root.object().has("normalizer")) normalizer = Normalizer::from_json(root.at("normalizer"));
  if (root.has("pre_tokenizer")) pre_tokenizer = PreTokenizer::from_json(root.at("pre_tokenizer"));
  decoder = TokenDecoder::from_json(root.at("decoder"));
  byte_level = pre_tokenizer.is_byte_level();
  if (byte_level != decoder.is_byte_level())
    root.refuse("a ByteLevel pre-tokenizer with a ByteLevel decoder, or neither",
                byte_level ? "the pre-tokenizer alone" : "the decoder alone");
}

void Tokenizer::State::read(const JsonCursor& root) {
  read_parts(root);
  Reading reading;
  read_model(root.at("model").object(), reading);
  if (root.has("added_tokens")) read_added_tokens(root.at("added_tokens"), reading);
  if (root.has("post_processor")) read_begin(root.at("post_processor"), reading);
  fill_whole_pieces(reading);
  texts = TokenTexts(reading.tokens);
}

nlohmann::json Tokenizer::State::facts() const {
  return {{"byte_ids", byte_ids},
          {"byte_fallback", byte_fallback},
          {"unknown", unknown.value_or(no_token)},
          {"fuse_unknown", fuse_unknown},
          {"ignore_merges", ignore_merges},
          {"words_are_separate", words_are_separate},
          {"begin", begin.value_or(no_token)}};
}

void Tokenizer::State::set_facts(const JsonCursor& facts) {
  const auto token = [&](const JsonCursor& id) {
    return static_cast<TokenId>(id.integer(no_token, static_cast<std::int64_t>(texts.size()) - 1));
  };
  const auto optional = [&](const char* key) {
    const TokenId id = token(facts.at(key));
    return id == no_token ? std::nullopt : std::optional(id);
  };
  for (std::size_t i = 0; i < byte_ids.size(); ++i) byte_ids[i] = token(facts.at("byte_ids").at(i));
  byte_fallback = facts.at("byte_fallback").boolean();
  unknown = optional("unknown");
  fuse_unknown = facts.at("fuse_unknown").boolean();
  ignore_merges = facts.at("ignore_merges").boolean();
  words_are_separate = facts.at("words_are_separate").boolean();
  begin = optional("begin");
  if (!byte_level && !byte_fallback && !unknown) facts.refuse("byte_fallback or an unknown token", "neither");
}

}  // namespace retort::text
