// The interpreter's expressions. Errors get the place of the innermost expression that they come from.
#include <algorithm>

#include "template/arithmetic.h"
#include "template/functions.h"
#include "template/interpreter.h"
#include "template/value_text.h"

namespace retort::jinja {

Value Interpreter::evaluate(const Expression& expression) {
  try {
    const Depth depth(*this);
    step();
    return std::visit([this](const auto& node) { return evaluate(node); }, expression.node);
  } catch (const TemplateError&) {
    throw;
  } catch (const std::invalid_argument& error) {
    throw TemplateError(origin_, expression.place, error.what());
  }
}

Value Interpreter::evaluate(const Name& node) {
  if (const Value* value = scope_->find(node.name)) return *value;
  if (const Value* value = find_global(node.name)) return *value;
  if (javascript() && node.name == "null") return {};
  return Value::undefined("'" + node.name + "' is undefined");
}

Value Interpreter::evaluate(const ListLiteral& node) {
  std::vector<Value> items;
  items.reserve(node.items.size());
  for (const auto& item : node.items) items.push_back(evaluate(*item));
  return list(std::move(items), node.kind);
}

Value Interpreter::evaluate(const DictLiteral& node) {
  std::vector<std::pair<Value, Value>> entries;
  for (const auto& [key, value] : node.entries) {
    Value name = evaluate(*key);
    entries.emplace_back(std::move(name), evaluate(*value));
  }
  produce(entries.size() * 2 * sizeof(Value));
  return make_dict(*this, std::move(entries));
}

Value Interpreter::evaluate(const AttributeAccess& node) {
  const Value object = evaluate(*node.object);
  if (const auto* loop = object.get<std::shared_ptr<Loop>>()) return loop_attribute(*loop, node.name);
  return get_attribute(*this, object, node.name);
}

Value Interpreter::evaluate(const ItemAccess& node) {
  const Value object = evaluate(*node.object);
  const Value key = evaluate(*node.key);
  const auto* loop = object.get<std::shared_ptr<Loop>>();
  if (loop != nullptr && key.text_or_null() != nullptr) return loop_attribute(*loop, *key.text_or_null());
  return get_item(*this, object, key);
}

Value Interpreter::evaluate(const SliceAccess& node) {
  const Value object = evaluate(*node.object);
  const auto part = [&](const ExpressionPointer& expression) {
    return expression == nullptr ? Value() : evaluate(*expression);
  };
  const Value begin = part(node.begin);
  const Value end = part(node.end);
  return get_slice(*this, object, begin, end, part(node.step));
}

Arguments Interpreter::evaluate(const CallSyntax& syntax) {
  Arguments arguments;
  for (const auto& expression : syntax.positional) arguments.positional.push_back(evaluate(*expression));
  if (syntax.more_positional != nullptr) {
    const std::vector<Value> more = iterate(*this, evaluate(*syntax.more_positional));
    arguments.positional.insert(arguments.positional.end(), more.begin(), more.end());
  }
  const auto add = [&](const std::string& name, Value value) {
    for (const auto& other : arguments.named)
      if (other.first == name) throw std::invalid_argument("the argument '" + name + "' stands twice");
    arguments.named.emplace_back(name, std::move(value));
  };
  for (const auto& [name, expression] : syntax.named) add(name, evaluate(*expression));
  if (syntax.more_named == nullptr) return arguments;
  const Value more = evaluate(*syntax.more_named);
  if (more.dict_or_null() == nullptr)
    throw std::invalid_argument("expected a dict behind **, found a " + type_name(more));
  step(more.dict_or_null()->entries.size() * (arguments.named.size() + more.dict_or_null()->entries.size()));
  for (const auto& [key, value] : more.dict_or_null()->entries) {
    if (key.text_or_null() == nullptr) throw std::invalid_argument("expected texts as keys behind **");
    add(*key.text_or_null(), value);
  }
  return arguments;
}

Value Interpreter::evaluate(const Call& node) {
  const Value callee = evaluate(*node.callee);
  return call(callee, evaluate(node.arguments));
}

Value Interpreter::evaluate(const FilterCall& node) {
  const Value object = node.object == nullptr ? *filtered_ : evaluate(*node.object);
  return node.function(*this, object, evaluate(node.arguments));
}

Value Interpreter::evaluate(const TestCall& node) {
  const Value object = evaluate(*node.object);
  return Value::boolean(truth(node.function(*this, object, evaluate(node.arguments))) != node.negated);
}

Value Interpreter::evaluate(const Unary& node) {
  const Value operand = evaluate(*node.operand);
  switch (node.operation) {
    case Unary::Operator::negate:
      return negative(operand);
    case Unary::Operator::plus:
      return positive(operand);
    case Unary::Operator::logical_not:
      return Value::boolean(!truth(operand));
  }
  return {};
}

Value Interpreter::evaluate(const Binary& node) {
  const Value left = evaluate(*node.left);
  return arithmetic(*this, node.operation, left, evaluate(*node.right));
}

Value Interpreter::evaluate(const Concatenation& node) {
  std::string joined;
  for (const auto& part : node.parts) {
    joined += text_of(*this, evaluate(*part));
    if (joined.size() > limits().bytes) produce(joined.size());
  }
  return text(std::move(joined));
}

bool Interpreter::compare(Comparison::Operator operation, const Value& left, const Value& right) {
  using Operator = Comparison::Operator;
  switch (operation) {
    case Operator::equal:
      return equal(*this, left, right);
    case Operator::not_equal:
      return !equal(*this, left, right);
    case Operator::less:
      return less(*this, left, right);
    case Operator::greater:
      return less(*this, right, left);
    // Numbers that are not a number are neither less nor equal, so these are not the negation of the other order.
    case Operator::less_equal:
      return less(*this, left, right) || equal(*this, left, right);
    case Operator::greater_equal:
      return less(*this, right, left) || equal(*this, left, right);
    case Operator::in:
      return contains(*this, right, left);
    case Operator::not_in:
      return !contains(*this, right, left);
  }
  return false;
}

Value Interpreter::evaluate(const Comparison& node) {
  Value left = evaluate(*node.first);
  for (const auto& [operation, expression] : node.rest) {
    Value right = evaluate(*expression);
    if (!compare(operation, left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::evaluate(const Logical& node) {
  Value left = evaluate(*node.left);
  return truth(left) == node.is_and ? evaluate(*node.right) : left;
}

Value Interpreter::evaluate(const Conditional& node) {
  if (truth(evaluate(*node.condition))) return evaluate(*node.value);
  if (node.otherwise != nullptr) return evaluate(*node.otherwise);
  return Value::undefined("the inline if-expression evaluated to false and no else section was defined.");
}

}  // namespace retort::jinja
