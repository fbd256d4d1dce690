// Filters on texts, and tojson as Transformers defines it (no HTML escapes, ensure_ascii off).
#include <algorithm>
#include <stdexcept>

#include "template/arguments.h"
#include "template/functions.h"
#include "template/unicode.h"
#include "template/value_text.h"

namespace retort::jinja {
namespace {

template <std::string (*Function)(std::string_view)>
Value mapped_filter(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("filter", arguments, {});
  return session.text_like(value, Function(text_of(session, value)));
}

Value string(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("string", arguments, {});
  return session.text_like(value, text_of(session, value));
}

Value trim(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("trim", arguments, {"chars"});
  const std::string text = text_of(session, value);
  if (bound.is_absent_or_none(0)) return session.text_like(value, std::string(strip(text, Side::both)));
  session.step(text.size() / 16 + bound.text(0).size() * 4);
  return session.text_like(value, std::string(strip(text, Side::both, bound.text(0))));
}

Value replace_filter(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("replace", arguments, {"old", "new", "count"}, 2);
  const std::int64_t count = bound.is_absent_or_none(2) ? -1 : bound.integer(2, -1);
  return session.text(replaced(session, text_of(session, value), text_of(session, bound.value(0)),
                               text_of(session, bound.value(1)), count));
}

/// Words begin behind white space and any of -({[<; unlike str.title(), "it's" stays "It's".
std::string title_case(std::string_view text) {
  std::string result;
  std::size_t begin = 0;
  const auto flush = [&](std::size_t end) {
    const std::string_view word = text.substr(begin, end - begin);
    if (word.empty()) return;
    const std::string_view first = characters(word).front();
    result += upper(first) + lower(word.substr(first.size()));
  };
  for (std::size_t i = 0; i < text.size();) {
    std::size_t next = i + 1;
    while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0U) == 0x80U) ++next;
    const std::string_view character = text.substr(i, next - i);
    if (is_white_space(character) || std::string_view("-({[<").find(character) != std::string_view::npos) {
      flush(i);
      result += character;
      begin = next;
    }
    i = next;
  }
  flush(text.size());
  return result;
}

Value title_filter(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("title", arguments, {});
  return session.text(title_case(text_of(session, value)));
}

Value indent(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("indent", arguments, {"width", "first", "blank"});
  std::string indention(4, ' ');
  if (const Value* width = bound.find(0)) {
    const std::string* text = width->text_or_null();
    const std::int64_t spaces = text == nullptr ? std::clamp<std::int64_t>(bound.integer(0, 4), 0, 1 << 20) : 0;
    indention = text != nullptr ? *text : std::string(static_cast<std::size_t>(spaces), ' ');
  }
  const std::string* text = value.text_or_null();
  if (text == nullptr) {
    if (value.is_undefined()) refuse_undefined(value);
    throw std::invalid_argument("indent: expected a text, found a " + type_name(value));
  }
  const std::string whole = *text + "\n";  // the last line counts even where it is empty, as in Jinja2
  std::string result;
  bool first = true;
  for (const std::string_view line : lines(whole)) {
    session.produce(indention.size() + line.size());
    if (first ? bound.flag(1, false) : bound.flag(2, false) || !line.empty()) {
      result += first ? "" : "\n";
      result += indention;
    } else if (!first) {
      result += "\n";
    }
    result += line;
    first = false;
  }
  return value.is_markup() ? Value::markup(std::move(result)) : Value::text(std::move(result));
}

Value join_filter(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("join", arguments, {"d", "attribute"});
  const std::string separator = bound.find(0) == nullptr ? "" : text_of(session, bound.value(0));
  std::string result;
  bool first = true;
  for (const Value& item : iterate(session, value)) {
    if (!first) result += separator;
    first = false;
    const std::string text =
        text_of(session, bound.is_absent_or_none(1) ? item : attribute_path(session, item, bound.value(1)));
    session.produce(separator.size() + text.size());
    result += text;
  }
  return Value::text(std::move(result));
}

Value tojson(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("tojson", arguments, {"ensure_ascii", "indent", "separators", "sort_keys"});
  JsonStyle style;
  style.ensure_ascii = bound.flag(0, false);
  style.sort_keys = bound.flag(3, false);
  if (!bound.is_absent_or_none(1)) {
    const std::string* text = bound.value(1).text_or_null();
    const std::int64_t spaces = text == nullptr ? std::clamp<std::int64_t>(bound.integer(1, 0), 0, 1 << 20) : 0;
    style.indented = true;
    style.item_separator = ",";
    style.indent = text != nullptr ? *text : std::string(static_cast<std::size_t>(spaces), ' ');
  }
  if (!bound.is_absent_or_none(2)) {
    const std::vector<Value> parts = iterate(session, bound.value(2));
    if (parts.size() != 2 || parts[0].text_or_null() == nullptr || parts[1].text_or_null() == nullptr)
      throw std::invalid_argument("tojson: expected two texts as separators");
    style.item_separator = *parts[0].text_or_null();
    style.key_separator = *parts[1].text_or_null();
  }
  return session.text(json_text(session, value, style));
}

Value safe(Session& session, const Value& value, const Arguments& arguments) {
  const BoundArguments bound("safe", arguments, {});
  return session.javascript() ? session.text(text_of(session, value)) : session.markup(text_of(session, value));
}

}  // namespace

std::string added_text(const Value& receiver, const Value& value) {
  const std::string& text = *value.text_or_null();
  if (!receiver.is_markup() || value.is_markup()) return text;
  std::string escaped;
  for (const char c : text) {
    if (c == '&')
      escaped += "&amp;";
    else if (c == '<')
      escaped += "&lt;";
    else if (c == '>')
      escaped += "&gt;";
    else if (c == '"')
      escaped += "&#34;";
    else if (c == '\'')
      escaped += "&#39;";
    else
      escaped += c;
  }
  return escaped;
}

std::string replaced(Session& session, const std::string& text, const std::string& old, const std::string& replacement,
                     std::int64_t count) {
  session.step(text.size() / 16);
  std::string result;
  if (old.empty()) {  // between all characters, and at both ends
    for (const std::string_view character : characters(text)) {
      if (count != 0) {
        session.produce(replacement.size());
        result += replacement;
        --count;
      }
      result += character;
    }
    return count != 0 ? result + replacement : result;
  }
  std::size_t at = 0;
  for (; count != 0; --count) {
    const auto found = text.find(old, at);
    if (found == std::string::npos) break;
    session.produce(replacement.size());
    result.append(text, at, found - at);
    result += replacement;
    at = found + old.size();
  }
  return result.append(text, at, std::string::npos);
}

const std::vector<NamedBuiltIn>& text_filters() {
  static const std::vector<NamedBuiltIn> table = {{"capitalize", mapped_filter<capitalize>},
                                                  {"indent", indent},
                                                  {"join", join_filter},
                                                  {"lower", mapped_filter<lower>},
                                                  {"replace", replace_filter},
                                                  {"safe", safe},
                                                  {"string", string},
                                                  {"title", title_filter},
                                                  {"tojson", tojson},
                                                  {"trim", trim},
                                                  {"upper", mapped_filter<upper>}};
  return table;
}

}  // namespace retort::jinja
