// Variables of one rendering: nested scopes, and the state of loops.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "template/ast.h"
#include "template/value.h"

namespace retort::jinja {

/// What `set` in a block writes to and what names are looked up in, inside out. Loops' iterations, macros, and blocks
/// that capture text have one each; `if` has none.
struct Scope {
  explicit Scope(std::shared_ptr<Scope> outer) : parent(std::move(outer)) {}

  const Value* find(std::string_view name) const {
    for (const Scope* scope = this; scope != nullptr; scope = scope->parent.get())
      for (const auto& [variable, value] : scope->variables)
        if (variable == name) return &value;
    return nullptr;
  }
  void set(std::string_view name, Value value) {
    for (auto& [variable, old] : variables) {
      if (variable != name) continue;
      old = std::move(value);
      return;
    }
    variables.emplace_back(name, std::move(value));
  }

  std::shared_ptr<Scope> parent;
  std::vector<std::pair<std::string_view, Value>> variables;  ///< names belong to the AST or the caller's context
};

/// `loop` inside a for. Items that the loop's filter refuses are skipped when they are reached, as a generator would.
struct Loop {
  std::vector<Value> source;
  std::size_t at = 0;  ///< first item of `source` that was not looked at
  const For* statement = nullptr;
  std::shared_ptr<Scope> outer;         ///< where the filter is evaluated
  std::deque<Value> ahead;              ///< passed by the filter, not yet used
  std::optional<Value> previous, item;  ///< of the body
  std::int64_t index0 = -1;
  std::optional<Value> changed;  ///< last arguments of loop.changed()
};

}  // namespace retort::jinja
