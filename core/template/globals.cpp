// The global functions of Transformers' environment (its utils/chat_template_utils.py), and the lookup of built-ins.
#include <array>
#include <stdexcept>

#include "template/arguments.h"
#include "template/functions.h"
#include "template/value_text.h"

namespace retort::jinja {
namespace {

constexpr std::uint64_t greatest_range = 100'000;  ///< MAX_RANGE of Jinja2's sandbox

BuiltIn find_global(const std::vector<NamedBuiltIn>& table, std::string_view name) {
  for (const NamedBuiltIn& entry : table)
    if (entry.name == name) return entry.function;
  return nullptr;
}

Value range(Session& session, const Arguments& arguments) {
  const BoundArguments bound("range", arguments, {"start", "stop", "step"}, 1);
  if (!arguments.named.empty()) throw std::invalid_argument("range: takes no named arguments");
  const bool only_stop = bound.find(1) == nullptr;
  const std::int64_t begin = only_stop ? 0 : bound.integer(0, 0);
  const std::int64_t end = only_stop ? bound.integer(0, 0) : bound.integer(1, 0);
  const std::int64_t step = bound.integer(2, 1);
  if (step == 0) throw std::invalid_argument("range: the step cannot be 0");
  std::vector<Value> items;
  std::int64_t next = begin;
  while (step > 0 ? next < end : next > end) {
    if (items.size() == greatest_range)
      throw std::invalid_argument("range: expected at most " + std::to_string(greatest_range) + " numbers, found more");
    items.push_back(Value::integer(next));
    if (__builtin_add_overflow(next, step, &next)) break;
  }
  return session.list(std::move(items), Sequence::Kind::range);
}

/// dict(mapping or pairs, name=value, …)
std::vector<std::pair<Value, Value>> entries_of(Session& session, const std::string& function,
                                                const Arguments& arguments) {
  if (arguments.positional.size() > 1)
    throw std::invalid_argument(function + ": expected at most one argument without a name");
  std::vector<std::pair<Value, Value>> entries;
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (const Dict* dict = source.dict_or_null()) {
      entries = dict->entries;
    } else {
      for (const Value& pair : iterate(session, source)) {
        const std::vector<Value> parts = iterate(session, pair);
        if (parts.size() != 2) throw std::invalid_argument(function + ": expected pairs of a key and a value");
        entries.emplace_back(parts[0], parts[1]);
      }
    }
  }
  for (const auto& [name, value] : arguments.named) entries.emplace_back(Value::text(name), value);
  session.produce(entries.size() * 2 * sizeof(Value));
  return entries;
}

Value dict(Session& session, const Arguments& arguments) {
  return make_dict(session, entries_of(session, "dict", arguments));
}

Value make_namespace(Session& session, const Arguments& arguments) {
  auto space = session.make_namespace();
  for (auto& [key, value] : entries_of(session, "namespace", arguments)) {
    if (key.text_or_null() == nullptr) throw std::invalid_argument("namespace: expected texts as names");
    if (key.text_or_null()->starts_with('_'))
      throw std::invalid_argument("namespace: attributes cannot begin with '_'");
    space->set(*key.text_or_null(), std::move(value));
  }
  return Value(Value::Data(std::move(space)));
}

Value raise_exception(Session& session, const Arguments& arguments) {
  const BoundArguments bound("raise_exception", arguments, {"message"}, 1);
  throw std::invalid_argument("the template refuses this input: " + text_of(session, bound.value(0)));
}

/// datetime.now().strftime(format); without a time zone, as there.
Value strftime_now(Session& session, const Arguments& arguments) {
  const BoundArguments bound("strftime_now", arguments, {"format"}, 1);
  std::string format;
  const std::string& given = bound.text(0);
  for (std::size_t i = 0; i < given.size(); ++i) {
    if (given[i] != '%' || i + 1 == given.size()) {
      format += given[i];
      continue;
    }
    const char directive = given[++i];
    if (directive == 'f') throw std::invalid_argument("strftime_now: %f (microseconds) is not supported");
    if (directive != 'z' && directive != 'Z') format += {'%', directive};
  }
  if (format.empty()) return Value::text("");
  const std::tm time = session.now();
  std::string text(format.size() * 8 + 128, '\0');
  format += ' ';  // so that 0 bytes mean failure
  const std::size_t length = std::strftime(text.data(), text.size(), format.c_str(), &time);
  if (length == 0) throw std::invalid_argument("strftime_now: the format is not supported");
  text.resize(length - 1);
  return session.text(std::move(text));
}

}  // namespace

const Value* find_global(std::string_view name) {
  static const std::array<std::pair<std::string_view, Value>, 5> globals = {
      {{"range", Value::function("range", range)},
       {"dict", Value::function("dict", dict)},
       {"namespace", Value::function("namespace", make_namespace)},
       {"raise_exception", Value::function("raise_exception", raise_exception)},
       {"strftime_now", Value::function("strftime_now", strftime_now)}}};
  for (const auto& [global, value] : globals)
    if (global == name) return &value;
  return nullptr;
}

BuiltIn find_filter(std::string_view name) {
  for (const auto* table : {&sequence_filters(), &selection_filters(), &text_filters(), &number_filters()})
    if (const BuiltIn found = find_global(*table, name)) return found;
  return nullptr;
}

}  // namespace retort::jinja
