// See arguments.h.
#include "template/arguments.h"

#include <algorithm>
#include <stdexcept>

namespace retort::jinja {

BoundArguments::BoundArguments(std::string_view function, const Arguments& arguments,
                               std::initializer_list<std::string_view> names, std::size_t required)
    : function_(function), names_(names), values_(names.size(), nullptr) {
  if (arguments.positional.size() > names_.size())
    refuse("expected at most " + std::to_string(names_.size()) + " arguments, found " +
           std::to_string(arguments.positional.size()));
  for (std::size_t i = 0; i < arguments.positional.size(); ++i) values_[i] = &arguments.positional[i];
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::find(names_.begin(), names_.end(), name);
    if (found == names_.end()) refuse("unknown argument '" + name + "'");
    const Value*& place = values_[static_cast<std::size_t>(found - names_.begin())];
    if (place != nullptr) refuse("the argument '" + name + "' stands twice");
    place = &value;
  }
  for (std::size_t i = 0; i < required; ++i)
    if (values_[i] == nullptr) refuse("expected the argument '" + std::string(names_[i]) + "', found none");
}

void BoundArguments::refuse(const std::string& what) const {
  throw std::invalid_argument(std::string(function_) + ": " + what);
}

void BoundArguments::refuse_type(std::size_t parameter, const char* expected) const {
  if (value(parameter).is_undefined()) refuse_undefined(value(parameter));
  refuse("expected " + std::string(expected) + " for '" + std::string(names_[parameter]) + "', found a " +
         type_name(value(parameter)));
}

bool BoundArguments::flag(std::size_t parameter, bool fallback) const {
  return find(parameter) == nullptr ? fallback : truth(value(parameter));
}

std::int64_t BoundArguments::integer(std::size_t parameter, std::int64_t fallback) const {
  if (find(parameter) == nullptr) return fallback;
  if (!value(parameter).is_integral()) refuse_type(parameter, "an integer");
  return value(parameter).as_integer();
}

const std::string& BoundArguments::text(std::size_t parameter) const {
  const std::string* text = value(parameter).text_or_null();
  if (text == nullptr) refuse_type(parameter, "a text");
  return *text;
}

std::string BoundArguments::text(std::size_t parameter, const std::string& fallback) const {
  return find(parameter) == nullptr ? fallback : text(parameter);
}

bool BoundArguments::is_absent_or_none(std::size_t parameter) const {
  return find(parameter) == nullptr || value(parameter).is_none();
}

}  // namespace retort::jinja
