// Methods of texts: Python's str, in code points (library reference, "String Methods").
#include <algorithm>
#include <stdexcept>

#include "template/arguments.h"
#include "template/functions.h"
#include "template/unicode.h"

namespace retort::jinja {
namespace {

const std::string& subject_of(const Value& value) {
  return *value.text_or_null();
}

template <std::string (*Function)(std::string_view)>
Value mapped_method(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("text method", arguments, {});
  return session.text_like(object, Function(subject_of(object)));
}

template <Side side>
Value stripped(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("strip", arguments, {"chars"});
  const std::string& text = subject_of(object);
  if (bound.is_absent_or_none(0)) return session.text_like(object, std::string(strip(text, side)));
  session.step(text.size() / 16 + bound.text(0).size() * 4);
  return session.text_like(object, std::string(strip(text, side, bound.text(0))));
}

/// The part text[begin:end], by the arguments 1 and 2 of startswith, find and the like.
std::string_view window(const std::string& text, const BoundArguments& bound) {
  std::int64_t begin = bound.is_absent_or_none(1) ? 0 : bound.integer(1, 0);
  std::int64_t end = bound.is_absent_or_none(2) ? INT64_MAX : bound.integer(2, 0);
  if (begin == 0 && end == INT64_MAX) return text;
  const auto all = characters(text);
  const auto count = static_cast<std::int64_t>(all.size());
  const auto clamped = [&](std::int64_t index) {
    return std::clamp<std::int64_t>(index < 0 ? index + count : index, 0, count);
  };
  begin = clamped(begin);
  end = std::max(clamped(end), begin);
  const auto offset = [&](std::int64_t index) {
    return index == count ? text.size()
                          : static_cast<std::size_t>(all[static_cast<std::size_t>(index)].data() - text.data());
  };
  return std::string_view(text).substr(offset(begin), offset(end) - offset(begin));
}

template <bool at_end>
Value begins_or_ends(Session&, const Value& object, const Arguments& arguments) {
  const BoundArguments bound(at_end ? "endswith" : "startswith", arguments, {"prefix", "start", "end"}, 1);
  const std::string_view text = window(subject_of(object), bound);
  const auto matches = [&](const std::string& part) { return at_end ? text.ends_with(part) : text.starts_with(part); };
  const Sequence* several = bound.value(0).sequence_or_null();
  if (several == nullptr || several->kind != Sequence::Kind::tuple) return Value::boolean(matches(bound.text(0)));
  for (const Value& part : several->items) {
    if (part.text_or_null() == nullptr)
      throw std::invalid_argument("expected a tuple of texts, found in it a " + type_name(part));
    if (matches(*part.text_or_null())) return Value::boolean(true);
  }
  return Value::boolean(false);
}

/// Offset of the match in code points from the text's begin, or -1.
std::int64_t search(Session& session, const Value& object, const BoundArguments& bound, bool last) {
  const std::string& text = subject_of(object);
  session.step(text.size() / 16);
  const std::string_view part = window(text, bound);
  const auto found = last ? part.rfind(bound.text(0)) : part.find(bound.text(0));
  if (found == std::string_view::npos) return -1;
  return static_cast<std::int64_t>(
      character_count({text.data(), static_cast<std::size_t>(part.data() - text.data()) + found}));
}

Value find(Session& session, const Value& object, const Arguments& arguments) {
  return Value::integer(search(session, object, {"find", arguments, {"sub", "start", "end"}, 1}, false));
}
Value rfind(Session& session, const Value& object, const Arguments& arguments) {
  return Value::integer(search(session, object, {"rfind", arguments, {"sub", "start", "end"}, 1}, true));
}
Value index(Session& session, const Value& object, const Arguments& arguments) {
  const std::int64_t found = search(session, object, {"index", arguments, {"sub", "start", "end"}, 1}, false);
  if (found < 0) throw std::invalid_argument("index: the text was not found");
  return Value::integer(found);
}

Value count(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("count", arguments, {"sub", "start", "end"}, 1);
  session.step(subject_of(object).size() / 16);
  const std::string_view text = window(subject_of(object), bound);
  const std::string& part = bound.text(0);
  if (part.empty()) return Value::integer(static_cast<std::int64_t>(character_count(text)) + 1);
  std::int64_t result = 0;
  for (auto at = text.find(part); at != std::string_view::npos; at = text.find(part, at + part.size())) ++result;
  return Value::integer(result);
}

Value list_of(Session& session, const Value& object, const std::vector<std::string_view>& parts) {
  std::vector<Value> items;
  items.reserve(parts.size());
  for (const std::string_view part : parts) items.push_back(session.text_like(object, std::string(part)));
  return session.list(std::move(items));
}

/// Runs of white space between the parts; `most` splits at most (negative: all).
std::vector<std::string_view> split_at_white_space(std::string_view text, std::int64_t most) {
  std::vector<std::string_view> parts;
  for (text = strip(text, Side::left); !text.empty(); text = strip(text, Side::left)) {
    if (most >= 0 && static_cast<std::int64_t>(parts.size()) == most) {
      parts.push_back(text);
      break;
    }
    std::size_t length = 0;
    for (const char* end = text.data() + text.size(); text.data() + length < end;) {
      std::size_t next = length + 1;
      while (next < text.size() && (static_cast<unsigned char>(text[next]) & 0xC0U) == 0x80U) ++next;
      if (is_white_space(text.substr(length, next - length))) break;
      length = next;
    }
    parts.push_back(text.substr(0, length));
    text.remove_prefix(length);
  }
  return parts;
}

Value split(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("split", arguments, {"sep", "maxsplit"});
  std::string_view text = subject_of(object);
  session.step(text.size() / 16);
  const std::int64_t most = bound.integer(1, -1);
  if (bound.is_absent_or_none(0)) return list_of(session, object, split_at_white_space(text, most));
  const std::string& separator = bound.text(0);
  if (separator.empty()) throw std::invalid_argument("split: expected a separator, found an empty text");
  std::vector<std::string_view> parts;
  while (most < 0 || static_cast<std::int64_t>(parts.size()) < most) {
    const auto at = text.find(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + separator.size());
  }
  parts.push_back(text);
  return list_of(session, object, parts);
}

Value rsplit(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("rsplit", arguments, {"sep", "maxsplit"});
  if (bound.is_absent_or_none(0)) {
    if (bound.integer(1, -1) >= 0) throw std::invalid_argument("rsplit: a limit without a separator is not supported");
    return split(session, object, arguments);
  }
  std::string_view text = subject_of(object);
  session.step(text.size() / 16);
  const std::int64_t most = bound.integer(1, -1);
  const std::string& separator = bound.text(0);
  if (separator.empty()) throw std::invalid_argument("rsplit: expected a separator, found an empty text");
  std::vector<std::string_view> parts;
  while (most < 0 || static_cast<std::int64_t>(parts.size()) < most) {
    const auto at = text.rfind(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(at + separator.size()));
    text = text.substr(0, at);
  }
  parts.push_back(text);
  std::reverse(parts.begin(), parts.end());
  return list_of(session, object, parts);
}

Value splitlines(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("splitlines", arguments, {});
  session.step(subject_of(object).size() / 16);
  return list_of(session, object, lines(subject_of(object)));
}

Value partition(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("partition", arguments, {"sep"}, 1);
  const std::string& text = subject_of(object);
  const std::string& separator = bound.text(0);
  if (separator.empty()) throw std::invalid_argument("partition: expected a separator, found an empty text");
  const auto at = text.find(separator);
  if (at == std::string::npos)
    return session.list({object, session.text_like(object, ""), session.text_like(object, "")}, Sequence::Kind::tuple);
  return session.list({session.text_like(object, text.substr(0, at)), session.text_like(object, separator),
                       session.text_like(object, text.substr(at + separator.size()))},
                      Sequence::Kind::tuple);
}

Value replace_method(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("replace", arguments, {"old", "new", "count"}, 2);
  bound.text(1);
  return session.text_like(object, replaced(session, subject_of(object), bound.text(0),
                                            added_text(object, bound.value(1)), bound.integer(2, -1)));
}

Value join_method(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("join", arguments, {"iterable"}, 1);
  std::string result;
  bool first = true;
  for (const Value& item : iterate(session, bound.value(0))) {
    if (item.text_or_null() == nullptr) throw std::invalid_argument("join: expected texts, found a " + type_name(item));
    const std::string part = added_text(object, item);
    session.produce(part.size() + subject_of(object).size());
    if (!first) result += subject_of(object);
    result += part;
    first = false;
  }
  return object.is_markup() ? Value::markup(std::move(result)) : Value::text(std::move(result));
}

template <bool at_end>
Value removed(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound(at_end ? "removesuffix" : "removeprefix", arguments, {"part"}, 1);
  const std::string& text = subject_of(object);
  const std::string& part = bound.text(0);
  if (at_end && text.ends_with(part)) return session.text_like(object, text.substr(0, text.size() - part.size()));
  if (!at_end && text.starts_with(part)) return session.text_like(object, text.substr(part.size()));
  return object;
}

/// Fills to `width` characters on one side.
template <Side side>
Value justified(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("ljust or rjust", arguments, {"width", "fillchar"}, 1);
  const std::string fill = bound.find(1) == nullptr ? " " : (bound.text(1), added_text(object, bound.value(1)));
  if (character_count(fill) != 1) throw std::invalid_argument("expected one character to fill with");
  const std::int64_t missing = bound.integer(0, 0) - static_cast<std::int64_t>(character_count(subject_of(object)));
  if (missing <= 0) return object;
  session.produce(static_cast<std::size_t>(missing) > session.limits().bytes ? SIZE_MAX
                                                                             : static_cast<std::size_t>(missing) * 4);
  std::string padding;
  for (std::int64_t i = 0; i < missing; ++i) padding += fill;
  return session.text_like(object, side == Side::left ? padding + subject_of(object) : subject_of(object) + padding);
}

Value zfill(Session& session, const Value& object, const Arguments& arguments) {
  const BoundArguments bound("zfill", arguments, {"width"}, 1);
  const std::string& text = subject_of(object);
  const std::size_t sign = text.starts_with('-') || text.starts_with('+') ? 1 : 0;
  const std::int64_t missing = bound.integer(0, 0) - static_cast<std::int64_t>(character_count(text));
  if (missing <= 0) return object;
  session.produce(static_cast<std::size_t>(missing));
  return session.text_like(
      object, text.substr(0, sign) + std::string(static_cast<std::size_t>(missing), '0') + text.substr(sign));
}

}  // namespace

const std::vector<NamedBuiltIn>& text_methods() {
  static const std::vector<NamedBuiltIn> table = {{"capitalize", mapped_method<capitalize>},
                                                  {"count", count},
                                                  {"endswith", begins_or_ends<true>},
                                                  {"find", find},
                                                  {"index", index},
                                                  {"join", join_method},
                                                  {"ljust", justified<Side::right>},
                                                  {"lower", mapped_method<lower>},
                                                  {"lstrip", stripped<Side::left>},
                                                  {"partition", partition},
                                                  {"removeprefix", removed<false>},
                                                  {"removesuffix", removed<true>},
                                                  {"replace", replace_method},
                                                  {"rfind", rfind},
                                                  {"rjust", justified<Side::left>},
                                                  {"rsplit", rsplit},
                                                  {"rstrip", stripped<Side::right>},
                                                  {"split", split},
                                                  {"splitlines", splitlines},
                                                  {"startswith", begins_or_ends<false>},
                                                  {"strip", stripped<Side::both>},
                                                  {"title", mapped_method<title>},
                                                  {"upper", mapped_method<upper>},
                                                  {"zfill", zfill}};
  return table;
}

}  // namespace retort::jinja
