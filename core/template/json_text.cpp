// json.dumps() of Python 3 (CPython's Lib/json/encoder.py is the reference for separators, escapes and keys), and JSON
// data as values.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <stdexcept>

#include "template/unicode.h"
#include "template/value_text.h"

namespace retort::jinja {
namespace {

constexpr int greatest_text_depth = 90;  // of data; a template may wrap it in a few lists more

std::string unit(unsigned code_unit) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "\\u%04x", code_unit);
  return buffer.data();
}

std::string number_text(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "Infinity" : "-Infinity";
  return float_text(value);
}

class JsonWriter {
 public:
  JsonWriter(Session& session, const JsonStyle& style) : session_(session), style_(style) {}

  void write(const Value& value, int level) {
    session_.step();
    session_.produce(out.size() - counted_);
    counted_ = out.size();
    if (const std::string* text = value.text_or_null()) return write_text(*text);
    if (value.is_none()) return append("null");
    if (const bool* flag = value.get<bool>()) return append(*flag ? "true" : "false");
    if (const std::int64_t* number = value.get<std::int64_t>()) return append(std::to_string(*number));
    if (const double* number = value.get<double>()) return append(number_text(*number));
    if (const Dict* dict = value.dict_or_null()) return write_dict(*dict, level);
    const Sequence* sequence = value.sequence_or_null();
    using Kind = Sequence::Kind;
    if (sequence != nullptr && (sequence->kind == Kind::list || sequence->kind == Kind::tuple || session_.javascript()))
      return write_list(sequence->items, level);
    if (value.is_undefined())
      throw std::invalid_argument("expected a value that JSON can hold, found an undefined one: " +
                                  *value.get<Undefined>()->hint);
    throw std::invalid_argument("expected a value that JSON can hold, found a " + type_name(value));
  }

  std::string out;

 private:
  void append(std::string_view text) { out += text; }

  void write_text(const std::string& text) {
    out += '"';
    for (const std::string_view character : characters(text)) write_character(character);
    out += '"';
  }
  void write_character(std::string_view character) {
    static constexpr std::string_view escaped = "\"\\\n\r\t\f\b";
    static constexpr std::string_view letters = "\"\\nrtfb";
    const char32_t c = code_point(character);
    if (const auto place = escaped.find(character[0]); c < 0x80 && place != std::string_view::npos) {
      out += '\\';
      out += letters[place];
    } else if (c < 0x20 || (style_.ensure_ascii && c >= 0x7F && c < 0x10000 && c != 0x7F)) {
      out += unit(c);
    } else if (style_.ensure_ascii && c >= 0x10000) {
      out += unit(0xD800 + ((c - 0x10000) >> 10)) + unit(0xDC00 + ((c - 0x10000) & 0x3FF));
    } else {
      out += character;
    }
  }

  void new_line(int level) {
    if (!style_.indented) return;
    out += '\n';
    session_.produce(style_.indent.size() * static_cast<std::size_t>(level));
    for (int i = 0; i < level; ++i) out += style_.indent;
  }
  void write_list(const std::vector<Value>& items, int level) {
    out += '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (i > 0) out += style_.item_separator;
      new_line(level + 1);
      write(items[i], level + 1);
    }
    if (!items.empty()) new_line(level);
    out += ']';
  }
  void write_dict(const Dict& dict, int level) {
    auto entries = dict.entries;
    if (style_.sort_keys)
      std::stable_sort(entries.begin(), entries.end(),
                       [&](const auto& a, const auto& b) { return less(session_, a.first, b.first); });
    out += '{';
    for (std::size_t i = 0; i < entries.size(); ++i) {
      if (i > 0) out += style_.item_separator;
      new_line(level + 1);
      write_key(entries[i].first);
      out += style_.key_separator;
      write(entries[i].second, level + 1);
    }
    if (!entries.empty()) new_line(level);
    out += '}';
  }
  void write_key(const Value& key) {
    if (key.text_or_null() != nullptr) return write(key, 0);
    if (!key.is_number() && !key.is_none())
      throw std::invalid_argument("expected keys that are texts, numbers or none, found a " + type_name(key));
    out += '"';
    write(key, 0);
    out += '"';
  }

  Session& session_;
  const JsonStyle& style_;
  std::size_t counted_ = 0;
};

Value convert(Session& session, const nlohmann::ordered_json& json, const std::string& pointer, int depth) {
  session.step();
  if (depth > greatest_text_depth)
    throw std::invalid_argument(pointer + ": expected at most " + std::to_string(greatest_text_depth) +
                                " nested arrays and objects, found more");
  if (json.is_string()) return session.text(json.get<std::string>());
  if (json.is_boolean()) return Value::boolean(json.get<bool>());
  if (json.is_number_float()) return Value::floating(json.get<double>());
  if (json.is_number_unsigned() && json.get<std::uint64_t>() > static_cast<std::uint64_t>(INT64_MAX))
    throw std::invalid_argument(pointer + ": expected an integer of 64 bits, found " + json.dump());
  if (json.is_number()) return Value::integer(json.get<std::int64_t>());
  if (json.is_array()) {
    std::vector<Value> items;
    for (std::size_t i = 0; i < json.size(); ++i)
      items.push_back(convert(session, json[i], pointer + "/" + std::to_string(i), depth + 1));
    return session.list(std::move(items));
  }
  if (!json.is_object()) return Value();
  std::vector<std::pair<Value, Value>> entries;
  for (const auto& [key, item] : json.items())
    entries.emplace_back(session.text(key), convert(session, item, pointer + "/" + key, depth + 1));
  return make_dict(session, std::move(entries));
}

}  // namespace

std::string json_text(Session& session, const Value& value, const JsonStyle& style) {
  JsonWriter writer(session, style);
  writer.write(value, 0);
  return std::move(writer.out);
}

Value value_from_json(Session& session, const nlohmann::ordered_json& json, const std::string& pointer) {
  return convert(session, json, pointer, 0);
}

}  // namespace retort::jinja
