// BPE training with incremental pair counts: a merge touches only the words that hold the pair, and a lazy heap yields
// the most frequent pair. Symbols are the tokens' ids.
#include "text/bpe_trainer.h"

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>
#include <queue>
#include <stdexcept>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "host/base/utf8.h"
#include "host/plugin/stop_request.h"
#include "text/byte_alphabet.h"
#include "text/pre_tokenizer.h"
#include "text/tokenizer.h"

namespace retort::text {
namespace {

using Pair = std::pair<TokenId, TokenId>;

struct PairHash {
  std::size_t operator()(const Pair& pair) const {
    return std::hash<std::uint64_t>()(static_cast<std::uint64_t>(pair.first) << 32 |
                                      static_cast<std::uint64_t>(pair.second));
  }
};

struct Word {
  std::vector<TokenId> symbols;
  std::int64_t count = 0;
};

struct PairState {
  std::int64_t count = 0;
  std::vector<std::size_t> words;  ///< indices of words that held it when counted; may be stale, may repeat
};

struct HeapEntry {
  std::int64_t count = 0;
  Pair pair;
  /// The heap's top: highest count, then smallest ids.
  bool operator<(const HeapEntry& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

class Trainer {
 public:
  Trainer(const std::vector<std::string>& texts, std::int64_t minimum_frequency);
  void merge_until(std::int64_t tokens);
  const std::vector<std::string>& tokens() const { return tokens_; }
  const std::vector<Pair>& merges() const { return merges_; }

 private:
  void add_alphabet();
  void add_words(const std::vector<std::string>& texts);
  void add_pair(TokenId left, TokenId right, std::int64_t count, std::size_t word);
  void merge(const Pair& pair);
  TokenId merged_token(const Pair& pair);

  std::int64_t minimum_frequency_;
  std::vector<std::string> tokens_;  ///< by id, in the byte-level alphabet
  std::unordered_map<std::string, TokenId> ids_;
  std::array<TokenId, 256> byte_ids_{};
  std::vector<Word> words_;
  std::unordered_map<Pair, PairState, PairHash> pairs_;
  std::vector<Pair> touched_;  ///< pairs whose count rose in the current merge
  std::priority_queue<HeapEntry> heap_;
  std::vector<Pair> merges_;
};

Trainer::Trainer(const std::vector<std::string>& texts, std::int64_t minimum_frequency)
    : minimum_frequency_(std::max<std::int64_t>(minimum_frequency, 1)) {
  add_alphabet();
  add_words(texts);
  for (std::size_t w = 0; w < words_.size(); ++w)
    for (std::size_t i = 0; i + 1 < words_[w].symbols.size(); ++i)
      add_pair(words_[w].symbols[i], words_[w].symbols[i + 1], words_[w].count, w);
  for (const auto& [pair, state] : pairs_) heap_.push({state.count, pair});
  touched_.clear();
}

/// Ids 0 to 255 in the order of the alphabet's characters, as Hugging Face's trainer gives them.
void Trainer::add_alphabet() {
  std::map<std::string, unsigned> by_character;  // UTF-8 sorts as code points do
  for (unsigned byte = 0; byte < 256; ++byte) by_character[alphabet_character(static_cast<unsigned char>(byte))] = byte;
  for (const auto& [character, byte] : by_character) {
    byte_ids_[byte] = static_cast<TokenId>(tokens_.size());
    ids_[character] = byte_ids_[byte];
    tokens_.push_back(character);
  }
}

void Trainer::add_words(const std::vector<std::string>& texts) {
  const PreTokenizer pre_tokenizer = PreTokenizer::gpt2();
  std::map<std::string, std::int64_t, std::less<>> counts;  // ordered: the result does not depend on hashing
  for (const std::string& text : texts) {
    host::throw_if_stop_requested();
    pre_tokenizer.split(host::replace_invalid_utf8(text), [&](std::string_view piece) {
      const auto found = counts.find(piece);
      if (found == counts.end())
        counts.emplace(piece, 1);
      else
        ++found->second;
    });
  }
  for (const auto& [text, count] : counts) {
    Word word{{}, count};
    for (const char byte : text) word.symbols.push_back(byte_ids_[static_cast<unsigned char>(byte)]);
    words_.push_back(std::move(word));
  }
}

void Trainer::add_pair(TokenId left, TokenId right, std::int64_t count, std::size_t word) {
  PairState& state = pairs_[{left, right}];
  state.count += count;
  if (count <= 0) return;
  state.words.push_back(word);
  touched_.emplace_back(left, right);
}

/// Two merges can spell the same token (a+bc, ab+c): they then share its id.
TokenId Trainer::merged_token(const Pair& pair) {
  const std::string text =
      tokens_[static_cast<std::size_t>(pair.first)] + tokens_[static_cast<std::size_t>(pair.second)];
  const auto [place, inserted] = ids_.emplace(text, static_cast<TokenId>(tokens_.size()));
  if (inserted) tokens_.push_back(text);
  return place->second;
}

void Trainer::merge(const Pair& pair) {
  const TokenId merged = merged_token(pair);
  merges_.push_back(pair);
  std::vector<std::size_t> holders = std::move(pairs_[pair].words);
  std::sort(holders.begin(), holders.end());
  holders.erase(std::unique(holders.begin(), holders.end()), holders.end());
  touched_.clear();
  for (const std::size_t w : holders) {
    Word& word = words_[w];
    std::vector<TokenId>& symbols = word.symbols;
    for (std::size_t i = 0; i + 1 < symbols.size(); ++i) {
      if (symbols[i] != pair.first || symbols[i + 1] != pair.second) continue;
      if (i > 0) add_pair(symbols[i - 1], symbols[i], -word.count, w);
      if (i + 2 < symbols.size()) add_pair(symbols[i + 1], symbols[i + 2], -word.count, w);
      symbols[i] = merged;
      symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      if (i > 0) add_pair(symbols[i - 1], merged, word.count, w);
      if (i + 1 < symbols.size()) add_pair(merged, symbols[i + 1], word.count, w);
    }
  }
  pairs_.erase(pair);
  std::sort(touched_.begin(), touched_.end());
  touched_.erase(std::unique(touched_.begin(), touched_.end()), touched_.end());
  for (const Pair& risen : touched_)
    if (const auto found = pairs_.find(risen); found != pairs_.end()) heap_.push({found->second.count, risen});
}

void Trainer::merge_until(std::int64_t tokens) {
  while (static_cast<std::int64_t>(tokens_.size()) < tokens && !heap_.empty()) {
    const HeapEntry top = heap_.top();
    heap_.pop();
    const auto found = pairs_.find(top.pair);
    if (found == pairs_.end()) continue;
    if (found->second.count != top.count) {  // the count has changed since: try again with the true one
      if (found->second.count > 0 && found->second.count < top.count) heap_.push({found->second.count, top.pair});
      continue;
    }
    if (top.count < minimum_frequency_) break;
    host::throw_if_stop_requested();
    merge(top.pair);
  }
}

nlohmann::json byte_level(bool trim_offsets) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"trim_offsets", trim_offsets}, {"use_regex", true}};
}

std::string tokenizer_json(const Trainer& trainer, const std::vector<std::string>& special_tokens) {
  using Json = nlohmann::json;
  Json vocabulary = Json::object();
  for (std::size_t id = 0; id < trainer.tokens().size(); ++id) vocabulary[trainer.tokens()[id]] = id;
  Json merges = Json::array();
  const auto text = [&](TokenId id) { return trainer.tokens()[static_cast<std::size_t>(id)]; };
  for (const auto& [left, right] : trainer.merges()) merges.push_back(text(left) + " " + text(right));
  Json added = Json::array();
  for (std::size_t i = 0; i < special_tokens.size(); ++i)
    added.push_back({{"id", trainer.tokens().size() + i},
                     {"content", special_tokens[i]},
                     {"single_word", false},
                     {"lstrip", false},
                     {"rstrip", false},
                     {"normalized", false},
                     {"special", true}});
  const Json json = {{"version", "1.0"},
                     {"truncation", nullptr},
                     {"padding", nullptr},
                     {"added_tokens", added},
                     {"normalizer", nullptr},
                     {"pre_tokenizer", byte_level(true)},
                     {"post_processor", byte_level(false)},
                     {"decoder", byte_level(true)},
                     {"model",
                      {{"type", "BPE"},
                       {"dropout", nullptr},
                       {"unk_token", nullptr},
                       {"continuing_subword_prefix", nullptr},
                       {"end_of_word_suffix", nullptr},
                       {"fuse_unk", false},
                       {"byte_fallback", false},
                       {"ignore_merges", false},
                       {"vocab", vocabulary},
                       {"merges", merges}}}};
  return json.dump(2) + "\n";
}

void check_special_tokens(const std::vector<std::string>& special_tokens, const std::vector<std::string>& tokens) {
  std::unordered_set<std::string> seen(tokens.begin(), tokens.end());
  for (const std::string& token : special_tokens) {
    if (token.empty()) throw std::invalid_argument("special_tokens: expected texts, found an empty one");
    if (!seen.insert(token).second)
      throw std::invalid_argument("special_tokens: \"" + token + "\" stands twice, or is also a token of the text");
  }
}

}  // namespace

std::string train_byte_level_bpe(const std::vector<std::string>& texts, const BpeTrainerOptions& options) {
  const auto special = static_cast<std::int64_t>(options.special_tokens.size());
  if (options.vocabulary_size < 256 + special)
    throw std::invalid_argument("vocabulary_size: expected at least " + std::to_string(256 + special) +
                                " (256 bytes and " + std::to_string(special) + " special tokens), found " +
                                std::to_string(options.vocabulary_size));
  Trainer trainer(texts, options.minimum_frequency);
  trainer.merge_until(options.vocabulary_size - special);
  check_special_tokens(options.special_tokens, trainer.tokens());
  return tokenizer_json(trainer, options.special_tokens);
}

}  // namespace retort::text
