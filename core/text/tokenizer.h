// BPE from a Hugging Face tokenizer.json, byte-level or SentencePiece-style with byte fallback: encode, decode,
// streaming decode. README.md lists what of the format is understood. No training (bpe_trainer.h); other formats are
// turned into tokenizer.json (gguf_tokenizer.h, llama2c_tokenizer.h).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace retort::text {

using TokenId = std::int32_t;

/// Immutable after load; every const function may be called from any thread.
class Tokenizer {
 public:
  /// Where a folder's tables come from; they are the same either way.
  enum class Source { packed, json };
  /// Reads tokenizer.json, a folder that has one, or the metadata of a GGUF file; of a folder with a packed tokenizer
  /// that fits (packed_tokenizer.h) most is mapped. Throws std::runtime_error or
  /// std::invalid_argument: file, JSON pointer, expected, found. Unsupported model, pre-tokenizer, normalizer or
  /// decoder types are refused by name.
  static Tokenizer load(const std::filesystem::path& path);  ///< packed, if it is
  static Tokenizer load(const std::filesystem::path& path, Source source);
  static Tokenizer parse(std::string_view json, const std::string& origin);

  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  enum class Special { parse, as_text };  ///< whether "<|…|>" in the text becomes the special token
  /// Invalid UTF-8 is read as U+FFFD. Bytes that a byte-level vocabulary lacks (never printable ones) are left out.
  std::vector<TokenId> encode(std::string_view text, Special special = Special::as_text) const;
  /// Special tokens are left out unless `with_special`. Each maximal invalid part of UTF-8 becomes one U+FFFD; the
  /// space that a SentencePiece-style normaliser put before the text is taken away.
  std::string decode(const std::vector<TokenId>& ids, bool with_special = false) const;

  /// What the file's post_processor puts before a text (Llama's <s>, for example); encode() never adds it.
  std::optional<TokenId> begin_token() const;

  std::int64_t vocabulary_size() const;                       ///< largest id + 1
  std::optional<TokenId> find(std::string_view token) const;  ///< by its text; added tokens first
  std::string_view token(TokenId id) const;                   ///< as in the file (byte-level alphabet); "" if unused
  std::string token_bytes(TokenId id) const;                  ///< the bytes that the token stands for
  bool is_special(TokenId id) const;
  bool is_added(TokenId id) const;  ///< one of added_tokens, special or not
  std::string to_json() const;      ///< the tokenizer.json text it was made from

 private:
  friend class StreamingDecoder;
  friend std::filesystem::path write_packed_tokenizer(const std::filesystem::path& folder);
  struct State;
  explicit Tokenizer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// Turns a growing list of ids into text without ever emitting half a character; the parts together are what decode()
/// gives. Borrows the tokenizer.
class StreamingDecoder {
 public:
  /// A text that begins loses the space that the normaliser put before it, a continuation keeps its own.
  enum class Place { text_begin, continuation };
  explicit StreamingDecoder(const Tokenizer& tokenizer, Place place = Place::text_begin);
  std::string push(TokenId id);  ///< the text that became complete
  std::string finish();          ///< what is left, incomplete sequences as U+FFFD

 private:
  const Tokenizer& tokenizer_;
  std::string pending_;
  std::size_t strip_;  ///< spaces to take away yet
};

}  // namespace retort::text
