// See llama2c_tokenizer.h.
#include "text/llama2c_tokenizer.h"

#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string_view>
#include <vector>

#include "host/base/files.h"
#include "text/sentencepiece.h"
#include "text/token_decoder.h"
#include "text/tokenizer_state.h"

namespace retort::text {
namespace {

constexpr std::size_t first_byte_token = 3;
constexpr std::int64_t greatest_vocabulary = std::int64_t{1} << 24;

/// A little-endian file, read front to back; refuses by token.
class Reader {
 public:
  Reader(std::string_view bytes, std::string origin) : bytes_(bytes), origin_(std::move(origin)) {}

  [[noreturn]] void refuse(const std::string& expected, const std::string& found) const {
    throw std::invalid_argument(origin_ + ": " + place_ + ": expected " + expected + ", found " + found);
  }
  void enter(std::string place) { place_ = std::move(place); }

  template <class T>
  T number() {
    static_assert(sizeof(T) == 4);
    const std::string_view raw = take(4);
    std::uint32_t value = 0;
    for (int i = 3; i >= 0; --i) value = value << 8 | static_cast<unsigned char>(raw[static_cast<std::size_t>(i)]);
    T result;
    std::memcpy(&result, &value, sizeof result);
    return result;
  }

  std::string_view take(std::size_t count) {
    if (bytes_.size() < count)
      refuse(std::to_string(count) + " bytes more", "the end of the file after " + std::to_string(bytes_.size()));
    const std::string_view taken = bytes_.substr(0, count);
    bytes_.remove_prefix(count);
    return taken;
  }
  std::size_t left() const { return bytes_.size(); }

 private:
  std::string_view bytes_;
  std::string origin_;
  std::string place_ = "header";
};

PieceType type_of(std::size_t id, std::string_view text) {
  if (id == 0) return PieceType::unknown;
  if (id < first_byte_token) return PieceType::control;
  const bool byte = id < first_byte_token + 256 && byte_of_token(text) == static_cast<int>(id - first_byte_token);
  return byte ? PieceType::byte : PieceType::normal;
}

SentencePiece read_piece(Reader& reader, std::size_t id) {
  SentencePiece piece;
  piece.score = reader.number<float>();
  if (!std::isfinite(piece.score)) reader.refuse("a finite score", std::to_string(piece.score));
  const auto length = reader.number<std::int32_t>();
  if (length < 0) reader.refuse("a length of at least 0", std::to_string(length));
  const std::string_view text = reader.take(static_cast<std::size_t>(length));
  piece.type = type_of(id, text);
  if (id == 1) {
    piece.text = "<s>";  // tokenizer.py writes "\n<s>\n", for printing
  } else if (id == 2) {
    piece.text = "</s>";
  } else {
    for (const char c : text)
      if (c == ' ')
        piece.text += space_symbol;
      else
        piece.text += c;
  }
  return piece;
}

}  // namespace

std::string tokenizer_json_from_llama2c(const std::filesystem::path& file, std::int64_t vocabulary_size) {
  if (vocabulary_size < 1 || vocabulary_size > greatest_vocabulary)
    throw std::invalid_argument(file.string() + ": expected a vocabulary of 1 to " +
                                std::to_string(greatest_vocabulary) + " tokens, found " +
                                std::to_string(vocabulary_size));
  const std::string bytes = host::read_file(file);
  Reader reader(bytes, file.string());
  reader.number<std::int32_t>();  // the longest token's length, which nobody needs
  std::vector<SentencePiece> pieces;
  for (std::int64_t id = 0; id < vocabulary_size; ++id) {
    reader.enter("token " + std::to_string(id) + " of " + std::to_string(vocabulary_size));
    pieces.push_back(read_piece(reader, static_cast<std::size_t>(id)));
  }
  if (reader.left() > 0)
    reader.refuse("the end of the file behind the last token",
                  std::to_string(reader.left()) + " bytes more; the vocabulary is larger than the model's");
  try {
    return sentencepiece_tokenizer_json(pieces,
                                        {.begin = vocabulary_size > 1 ? std::optional<TokenId>(1) : std::nullopt});
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(file.string() + ": " + error.what());
  }
}

}  // namespace retort::text
