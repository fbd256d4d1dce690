// tokenizer.json: reading it, then encoding and decoding some text with what was accepted. The input is the file; what
// stands behind its first zero byte, if any, is the text.
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <string_view>

#include "host/base/utf8.h"
#include "text/tokenizer.h"

namespace {

using namespace retort::text;

void require(bool condition) {
  if (!condition) std::abort();
}

void use(const Tokenizer& tokenizer, std::string_view text) {
  for (const auto special : {Tokenizer::Special::parse, Tokenizer::Special::as_text}) {
    const auto ids = tokenizer.encode(text, special);
    for (const TokenId id : ids) require(id >= 0 && id < tokenizer.vocabulary_size());
    require(tokenizer.encode(text, special) == ids);  // what is learnt in the first call changes nothing
    const std::string decoded = tokenizer.decode(ids);
    require(retort::host::replace_invalid_utf8(decoded) == decoded);
    StreamingDecoder streaming(tokenizer);
    std::string streamed;
    for (const TokenId id : ids) streamed += streaming.push(id);
    require(streamed + streaming.finish() == decoded);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t longest_text = 256;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto zero = input.find('\0');
  const std::string_view json = input.substr(0, zero);
  const std::string_view text = zero == std::string_view::npos ? std::string_view("Turn on 12 lights, s'il te plaît 🙂")
                                                               : input.substr(zero + 1, longest_text);
  try {
    use(Tokenizer::parse(json, "tokenizer.json"), text);
  } catch (const std::invalid_argument&) {
  } catch (const std::runtime_error&) {  // a pattern that backtracks too long
  }
  return 0;
}
