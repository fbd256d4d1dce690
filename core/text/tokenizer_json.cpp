// Reads tokenizer.json: model BPE with a byte-level alphabet, normalizers NFC or none, decoder ByteLevel.
// post_processor, truncation and padding are not applied: callers place special tokens themselves.
#include <utility>

#include "text/byte_alphabet.h"
#include "text/tokenizer_state.h"
#include "text/utf8.h"

namespace retort::text {

using model::JsonCursor;

namespace {

constexpr std::int64_t greatest_id = (std::int64_t{1} << 24) - 1;  // bounds the table that is indexed by id

/// `key` may be absent, null or `neutral`.
void require_neutral(const JsonCursor& holder, const char* key, const nlohmann::json& neutral) {
  if (holder.has(key) && holder.at(key).json() != neutral)
    holder.at(key).refuse(neutral.dump() + " (other values are not implemented)");
}

bool reads_nfc(const JsonCursor& normalizer) {
  const std::string type = normalizer.at("type").string();
  if (type == "NFC") return true;
  if (type != "Sequence") normalizer.at("type").refuse("\"NFC\" or \"Sequence\" (others are not implemented)");
  const JsonCursor parts = normalizer.at("normalizers").array();
  bool nfc = false;
  for (std::size_t i = 0; i < parts.size(); ++i) nfc = reads_nfc(parts.at(i)) || nfc;
  return nfc;
}

void check_decoder(const JsonCursor& decoder) {
  const std::string type = decoder.at("type").string();
  if (type == "Sequence") {
    const JsonCursor parts = decoder.at("decoders").array();
    if (parts.size() != 1) parts.refuse("one decoder, ByteLevel");
    check_decoder(parts.at(std::size_t{0}));
  } else if (type != "ByteLevel") {
    decoder.at("type").refuse("\"ByteLevel\" (other decoders are not implemented)");
  }
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
    // A token outside the alphabet (only ever an added one) stands for its own text.
    entries[place].bytes = from_alphabet(item.key()).value_or(item.key());
    entries[place].text = item.key();
    ids.emplace(item.key(), static_cast<TokenId>(id));
  }
}

void Tokenizer::State::read_byte_ids(const JsonCursor& vocabulary) {
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::string& character = alphabet_character(static_cast<unsigned char>(byte));
    const auto found = ids.find(character);
    if (found == ids.end())
      vocabulary.refuse("a token for each of the 256 bytes", "none for byte " + std::to_string(byte) + ", \"" +
                                                                 character + "\"; text with it could not be encoded");
    byte_ids[byte] = found->second;
  }
}

void Tokenizer::State::read_merges(const JsonCursor& merges_json) {
  merges.reserve(merges_json.array().size());
  for (std::size_t rank = 0; rank < merges_json.size(); ++rank) {
    const JsonCursor merge = merges_json.at(rank);
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
    if (token.normalized && normalize_nfc) token.content = to_nfc(token.content);
    (token.normalized ? normalized : raw).push_back(std::move(token));
  }
  raw_tokens = AddedTokenFinder(std::move(raw));
  normalized_tokens = AddedTokenFinder(std::move(normalized));
}

void Tokenizer::State::read(const JsonCursor& root) {
  const JsonCursor model = root.object().at("model").object();
  if (model.at("type").string() != "BPE") model.at("type").refuse("\"BPE\" (other models are not implemented)");
  require_neutral(model, "dropout", 0.0);
  require_neutral(model, "continuing_subword_prefix", "");
  require_neutral(model, "end_of_word_suffix", "");
  require_neutral(model, "byte_fallback", false);
  ignore_merges = model.has("ignore_merges") && model.at("ignore_merges").boolean();
  normalize_nfc = root.has("normalizer") && reads_nfc(root.at("normalizer"));
  pre_tokenizer = PreTokenizer::from_json(root.at("pre_tokenizer"));
  check_decoder(root.at("decoder"));
  read_vocabulary(model.at("vocab"));
  read_byte_ids(model.at("vocab"));
  read_merges(model.at("merges"));
  if (root.has("added_tokens")) read_added_tokens(root.at("added_tokens"));
}

}  // namespace retort::text
