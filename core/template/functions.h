// The built-in filters, tests, methods and global functions, by name. Each is Jinja2's or Python's of that name, from
// Jinja's documentation ("List of Builtin Filters", "… Tests", "… Global Functions") and Python's library reference.
#pragma once

#include <string_view>
#include <vector>

#include "template/session.h"
#include "template/value.h"

namespace retort::jinja {

/// `subject` is what a filter or test is applied to, or a method's object. Throws std::invalid_argument; the caller
/// adds the place.
using BuiltIn = Value (*)(Session& session, const Value& subject, const Arguments& arguments);

struct NamedBuiltIn {
  std::string_view name;
  BuiltIn function;
};

BuiltIn find_filter(std::string_view name);  ///< null if there is none
BuiltIn find_test(std::string_view name);
/// Throws std::invalid_argument where Python has a method of that name that is not supported here.
BuiltIn find_method(const Value& object, std::string_view name);
/// range, dict, namespace, raise_exception, strftime_now; nothing for other names.
const Value* find_global(std::string_view name);

// Where the tables are.
const std::vector<NamedBuiltIn>& sequence_filters();
const std::vector<NamedBuiltIn>& selection_filters();
const std::vector<NamedBuiltIn>& text_filters();
const std::vector<NamedBuiltIn>& number_filters();
const std::vector<NamedBuiltIn>& text_methods();
const std::vector<NamedBuiltIn>& text_predicates();

/// environment.getattr and getitem of Jinja2's sandbox: an attribute of the object, else an item, else undefined.
Value get_attribute(Session& session, const Value& object, const std::string& name);
/// The other way round.
Value get_item(Session& session, const Value& object, const Value& key);
/// Python's object[begin:end:step]; None where absent.
Value get_slice(Session& session, const Value& object, const Value& begin, const Value& end, const Value& step);
/// text.replace(old, replacement, count); all where count is negative.
std::string replaced(Session& session, const std::string& text, const std::string& old, const std::string& replacement,
                     std::int64_t count);
/// item.a.b for "a.b", item[0] for 0; what `attribute=` of filters means. `fallback`, if not null, takes the place of
/// what is undefined at each step.
Value attribute_path(Session& session, const Value& item, const Value& path, const Value* fallback = nullptr);
/// `value`'s text as it is added to `receiver`: escaped as markupsafe does where that is markup and `value` is not.
std::string added_text(const Value& receiver, const Value& value);
bool contains(Session& session, const Value& container, const Value& item);  ///< item in container

}  // namespace retort::jinja
