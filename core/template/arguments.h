// Binds the arguments of a built-in function to its parameters, as Python does.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "template/value.h"

namespace retort::jinja {

class BoundArguments {
 public:
  /// `names`: the parameters in their order, of which the first `required` must be given. Throws
  /// std::invalid_argument: the function's name, what is missing, unknown, too much or given twice.
  BoundArguments(std::string_view function, const Arguments& arguments, std::initializer_list<std::string_view> names,
                 std::size_t required = 0);

  const Value* find(std::size_t parameter) const { return values_[parameter]; }  ///< null where absent
  const Value& value(std::size_t parameter) const { return *values_[parameter]; }
  bool flag(std::size_t parameter, bool fallback) const;  ///< its truth
  std::int64_t integer(std::size_t parameter, std::int64_t fallback) const;
  /// Refuses what is not a text.
  const std::string& text(std::size_t parameter) const;
  std::string text(std::size_t parameter, const std::string& fallback) const;
  bool is_absent_or_none(std::size_t parameter) const;

 private:
  [[noreturn]] void refuse(const std::string& what) const;
  [[noreturn]] void refuse_type(std::size_t parameter, const char* expected) const;

  std::string_view function_;
  std::vector<std::string_view> names_;
  std::vector<const Value*> values_;
};

}  // namespace retort::jinja
