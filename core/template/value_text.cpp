// See value_text.h; json_text and value_from_json are in json_text.cpp.
#include "template/value_text.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "template/unicode.h"

namespace retort::jinja {
namespace {

std::string hexadecimal(const char* format, char32_t code_point) {
  std::array<char, 16> buffer{};
  const int length = std::snprintf(buffer.data(), buffer.size(), format, static_cast<unsigned>(code_point));
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

void append_escaped(std::string& out, std::string_view character, char quote) {
  const char32_t c = code_point(character);
  if (c == static_cast<char32_t>(quote) || c == '\\')
    out += {'\\', character[0]};
  else if (c == '\n')
    out += "\\n";
  else if (c == '\r')
    out += "\\r";
  else if (c == '\t')
    out += "\\t";
  else if (is_printable(c))
    out += character;
  else
    out += hexadecimal(c < 0x100 ? "\\x%02x" : c < 0x10000 ? "\\u%04x" : "\\U%08x", c);
}

/// repr(str): single quotes unless only double ones avoid escapes.
std::string quoted(const std::string& text) {
  const bool has_single = text.find('\'') != std::string::npos;
  const char quote = has_single && text.find('"') == std::string::npos ? '"' : '\'';
  std::string out(1, quote);
  for (const std::string_view character : characters(text)) append_escaped(out, character, quote);
  return out + quote;
}

class Writer {
 public:
  explicit Writer(Session& session) : session_(session) {}

  std::string repr(const Value& value) {
    session_.step();
    if (const std::string* text = value.text_or_null()) {
      session_.produce(text->size());
      if (session_.javascript()) return json_text(session_, value, {});
      return value.is_markup() ? "Markup(" + quoted(*text) + ")" : quoted(*text);
    }
    if (value.is_undefined()) return session_.javascript() ? "undefined" : "Undefined";
    if (value.is_none()) return session_.javascript() ? "null" : "None";
    if (const bool* flag = value.get<bool>()) {
      if (session_.javascript()) return *flag ? "true" : "false";
      return *flag ? "True" : "False";
    }
    if (const std::int64_t* number = value.get<std::int64_t>()) return std::to_string(*number);
    if (const double* number = value.get<double>()) return float_text(*number);
    if (const Dict* dict = value.dict_or_null()) return repr(*dict);
    if (const Sequence* sequence = value.sequence_or_null()) return repr(value, *sequence);
    throw std::invalid_argument("expected a value to print, found a " + type_name(value) +
                                "; call it, or print one of its attributes");
  }

 private:
  std::string joined(const std::vector<Value>& items) {
    std::string out;
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += ", ";
      out += repr(items[i]);
      session_.produce(out.size() / 16);  // nested texts are copied once a level
    }
    return out;
  }
  std::string repr(const Dict& dict) {
    std::string out = "{";
    for (const auto& [key, value] : dict.entries) {
      if (out.size() > 1) out += ", ";
      out += repr(key) + ": " + repr(value);
      session_.produce(out.size() / 16);
    }
    return out + "}";
  }
  std::string repr(const Value& value, const Sequence& sequence) {
    using Kind = Sequence::Kind;
    if (sequence.kind == Kind::list || session_.javascript()) return "[" + joined(sequence.items) + "]";
    if (sequence.kind == Kind::tuple) return "(" + joined(sequence.items) + (sequence.items.size() == 1 ? ",)" : ")");
    if (sequence.kind == Kind::range || sequence.kind == Kind::generator)
      throw std::invalid_argument("expected a value to print, found a " + type_name(value) +
                                  "; make a list of it with the filter 'list'");
    return type_name(value) + "([" + joined(sequence.items) + "])";
  }

  Session& session_;
};

}  // namespace

std::string float_text(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  std::array<char, 40> buffer{};
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
  const std::string shortest(buffer.data(), end.ptr);
  const int exponent = std::stoi(shortest.substr(shortest.find('e') + 1));
  if (exponent < -4 || exponent >= 16) return shortest;  // to_chars writes e+16 and e-05, as Python does
  const auto fixed = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  std::string text(buffer.data(), fixed.ptr);
  if (text.find('.') == std::string::npos) text += ".0";
  return text;
}

std::string text_of(Session& session, const Value& value) {
  if (const std::string* text = value.text_or_null()) return *text;
  if (value.is_undefined()) return "";
  return Writer(session).repr(value);
}

}  // namespace retort::jinja
