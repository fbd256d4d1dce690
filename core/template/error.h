// Where a template is wrong and why. One type for parsing and rendering, so that callers show one kind of message.
#pragma once

#include <stdexcept>
#include <string>

namespace retort::jinja {

/// 1-based; the column counts characters. Line 0: no place of the template.
struct Place {
  int line = 0;
  int column = 0;
};

/// "origin:line:column: what". The template's or the data's fault, so the caller's.
class TemplateError : public std::invalid_argument {
 public:
  TemplateError(const std::string& origin, Place place, const std::string& what)
      : std::invalid_argument(origin + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) + ": " +
                              what),
        place_(place) {}
  Place place() const { return place_; }

 private:
  Place place_;
};

}  // namespace retort::jinja
