// A Jinja template as chat templates use it: parsed once, rendered with data. What is supported is listed in README.md.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "template/error.h"
#include "template/session.h"

namespace retort::jinja {

struct RenderOptions {
  Dialect dialect = Dialect::python;
  Clock clock;  ///< empty: the local time
  Limits limits;
  std::vector<std::pair<std::string, Value>> functions;  ///< more variables, for example callables; before the data's
};

/// Immutable; every const function may be called from any thread.
class Template {
 public:
  /// `origin` is what errors call the template, for example its path. Throws TemplateError for syntax that is wrong or
  /// not supported.
  static Template parse(std::string_view source, const std::string& origin);
  ~Template();
  Template(Template&&) noexcept;
  Template& operator=(Template&&) noexcept;

  /// `variables`: an object; the order of keys is kept. Throws TemplateError (what the template refuses, undefined
  /// values, wrong types, limits) and std::invalid_argument for data that no value can hold, with its JSON pointer.
  std::string render(const nlohmann::ordered_json& variables, const RenderOptions& options = {}) const;

 private:
  struct State;
  explicit Template(std::unique_ptr<const State> state);
  std::unique_ptr<const State> state_;
};

}  // namespace retort::jinja
