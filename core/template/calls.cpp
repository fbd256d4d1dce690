// The interpreter's macros, calls and loop variables.
#include <algorithm>

#include "template/interpreter.h"

namespace retort::jinja {

Value Interpreter::call(const Value& callee, Arguments arguments) {
  if (callee.is_undefined()) refuse_undefined(callee);
  const auto* function = callee.get<std::shared_ptr<const Function>>();
  if (function == nullptr) throw std::invalid_argument("a '" + type_name(callee) + "' cannot be called");
  const auto alive = *function;  // a macro may replace the variable that holds it
  return alive->body(*this, std::move(arguments));
}

/// The macro reads the variables around its definition as they are when it is called.
Value Interpreter::make_macro(const Macro& node) {
  produce(sizeof(Scope) + sizeof(Function));
  if (captured_scopes_.empty() || captured_scopes_.back() != scope_) captured_scopes_.push_back(scope_);
  return Value::function(node.name, [&node, scope = scope_](Session& session, Arguments arguments) {
    return static_cast<Interpreter&>(session).call_macro(node, scope, std::move(arguments));
  });
}

Value Interpreter::call_macro(const Macro& node, const std::shared_ptr<Scope>& scope, Arguments arguments) {
  const auto outer = scope_;
  scope_ = std::make_shared<Scope>(scope);
  bind_parameters(node, arguments);
  Value result = Value::text(captured(node.body));
  scope_ = outer;
  return result;
}

void Interpreter::bind_parameters(const Macro& node, Arguments& arguments) {
  const std::size_t taken = std::min(arguments.positional.size(), node.parameters.size());
  std::vector<const Parameter*> missing;
  for (std::size_t i = 0; i < node.parameters.size(); ++i) {
    const Parameter& parameter = node.parameters[i];
    const auto named = std::find_if(arguments.named.begin(), arguments.named.end(),
                                    [&](const auto& argument) { return argument.first == parameter.name; });
    if (i < taken) {
      scope_->set(parameter.name, arguments.positional[i]);
    } else if (named != arguments.named.end()) {
      scope_->set(parameter.name, std::move(named->second));
      arguments.named.erase(named);
    } else {
      missing.push_back(&parameter);
    }
  }
  for (const Parameter* parameter : missing)
    scope_->set(parameter->name, parameter->fallback != nullptr
                                     ? evaluate(*parameter->fallback)
                                     : Value::undefined("parameter '" + parameter->name + "' was not provided"));
  bind_more_arguments(node, arguments, taken);
}

/// caller, varargs and kwargs exist in macros that read them.
void Interpreter::bind_more_arguments(const Macro& node, Arguments& arguments, std::size_t taken) {
  const bool explicit_caller = std::any_of(node.parameters.begin(), node.parameters.end(),
                                           [](const Parameter& parameter) { return parameter.name == "caller"; });
  if (node.uses_caller && !explicit_caller) {
    const auto caller = std::find_if(arguments.named.begin(), arguments.named.end(),
                                     [](const auto& argument) { return argument.first == "caller"; });
    if (caller == arguments.named.end()) {
      scope_->set("caller", Value::undefined("No caller defined"));
    } else {
      scope_->set("caller", std::move(caller->second));
      arguments.named.erase(caller);
    }
  }
  if (node.uses_kwargs) {
    std::vector<std::pair<Value, Value>> entries;
    for (auto& [key, value] : arguments.named) entries.emplace_back(Value::text(key), std::move(value));
    scope_->set("kwargs", make_dict(*this, std::move(entries)));
  } else if (!arguments.named.empty()) {
    throw std::invalid_argument("macro '" + node.name + "' takes no keyword argument '" + arguments.named[0].first +
                                "'");
  }
  if (node.uses_varargs)
    scope_->set("varargs",
                list({arguments.positional.begin() + static_cast<std::ptrdiff_t>(taken), arguments.positional.end()},
                     Sequence::Kind::tuple));
  else if (arguments.positional.size() > taken)
    throw std::invalid_argument("macro '" + node.name + "' takes not more than " +
                                std::to_string(node.parameters.size()) + " arguments");
}

bool Interpreter::fetch(Loop& loop) {
  while (loop.at < loop.source.size()) {
    step();
    Value item = loop.source[loop.at++];
    if (loop.statement->filter != nullptr) {
      const auto inner = scope_;
      scope_ = std::make_shared<Scope>(loop.outer);
      assign(loop.statement->target, item);
      const bool passed = truth(evaluate(*loop.statement->filter));
      scope_ = inner;
      if (!passed) continue;
    }
    loop.ahead.push_back(std::move(item));
    return true;
  }
  return false;
}

Value Interpreter::loop_attribute(const std::shared_ptr<Loop>& loop, const std::string& name) {
  const auto peek = [&] { return !loop->ahead.empty() || fetch(*loop); };
  const auto length = [&] {
    while (fetch(*loop)) {
    }
    return loop->index0 + 1 + static_cast<std::int64_t>(loop->ahead.size());
  };
  if (name == "index0") return Value::integer(loop->index0);
  if (name == "index") return Value::integer(loop->index0 + 1);
  if (name == "first") return Value::boolean(loop->index0 == 0);
  if (name == "last") return Value::boolean(!peek());
  if (name == "length") return Value::integer(length());
  if (name == "revindex") return Value::integer(length() - loop->index0);
  if (name == "revindex0") return Value::integer(length() - loop->index0 - 1);
  if (name == "depth") return Value::integer(1);
  if (name == "depth0") return Value::integer(0);
  if (name == "previtem") return loop->previous ? *loop->previous : Value::undefined("there is no previous item");
  if (name == "nextitem") return peek() ? loop->ahead.front() : Value::undefined("there is no next item");
  if (name == "cycle")
    return Value::function("cycle", [index = loop->index0](Session&, const Arguments& arguments) {
      if (arguments.positional.empty()) throw std::invalid_argument("loop.cycle: expected values, found none");
      return arguments.positional[static_cast<std::size_t>(index) % arguments.positional.size()];
    });
  if (name == "changed")
    return Value::function("changed", [loop](Session& session, Arguments arguments) {
      return static_cast<Interpreter&>(session).loop_changed(*loop, std::move(arguments));
    });
  return Value::undefined("'loop' has no attribute '" + name + "'");
}

Value Interpreter::loop_changed(Loop& loop, Arguments arguments) {
  Value values = list(std::move(arguments.positional), Sequence::Kind::tuple);
  const bool same = loop.changed && equal(*this, *loop.changed, values);
  if (!same) loop.changed = std::move(values);
  return Value::boolean(!same);
}

}  // namespace retort::jinja
