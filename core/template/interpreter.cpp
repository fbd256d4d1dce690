// See interpreter.h: statements. Expressions are in evaluation.cpp, macros and loops in calls.cpp.
#include "template/interpreter.h"

#include "template/value_text.h"

namespace retort::jinja {

Interpreter::Interpreter(std::string origin, const Limits& limits, Dialect dialect, Clock clock)
    : Session(limits, dialect, std::move(clock)), origin_(std::move(origin)) {}

Interpreter::~Interpreter() {
  for (const auto& space : namespaces_) space->attributes.clear();
  for (const auto& scope : captured_scopes_) scope->variables.clear();
}

Interpreter::Depth::Depth(Interpreter& interpreter) : interpreter_(interpreter) {
  if (interpreter_.depth_ >= interpreter_.limits().depth)
    throw std::invalid_argument("expected at most " + std::to_string(interpreter_.limits().depth) +
                                " nested evaluations, found more: does a macro call itself without end?");
  ++interpreter_.depth_;
}

std::string Interpreter::run(const Block& block, const std::vector<std::pair<std::string, Value>>& context) {
  auto outermost = std::make_shared<Scope>(nullptr);
  for (const auto& [name, value] : context) outermost->set(name, value);
  scope_ = std::make_shared<Scope>(std::move(outermost));
  execute(block);
  return std::move(output_);
}

std::shared_ptr<Namespace> Interpreter::make_namespace() {
  produce(sizeof(Namespace));
  namespaces_.push_back(std::make_shared<Namespace>());
  return namespaces_.back();
}

void Interpreter::output(std::string_view text) {
  step(text.size() / 64);
  if (text.size() > limits().output - output_.size())
    throw std::invalid_argument("expected a prompt of at most " + std::to_string(limits().output) +
                                " bytes, found more");
  output_ += text;
}

std::string Interpreter::captured(const Block& block) {
  std::string outer = std::move(output_);
  output_.clear();
  const auto outer_scope = scope_;
  scope_ = std::make_shared<Scope>(outer_scope);
  execute(block);
  scope_ = outer_scope;
  std::string text = std::move(output_);
  output_ = std::move(outer);
  produce(text.size());
  return text;
}

Interpreter::Flow Interpreter::execute(const Block& block) {
  for (const auto& statement : block)
    if (const Flow flow = execute(*statement); flow != Flow::on) return flow;
  return Flow::on;
}

Interpreter::Flow Interpreter::execute(const Statement& statement) {
  struct Visitor {
    Interpreter& self;
    Flow operator()(const OutputText& node) const { return self.output(node.text), Flow::on; }
    Flow operator()(const OutputValue& node) const {
      return self.output(text_of(self, self.evaluate(*node.value))), Flow::on;
    }
    Flow operator()(const If& node) const { return self.execute(node); }
    Flow operator()(const For& node) const { return self.execute(node); }
    Flow operator()(const Set& node) const { return self.assign(node.target, self.evaluate(*node.value)), Flow::on; }
    Flow operator()(const SetBlock& node) const { return self.execute(node), Flow::on; }
    Flow operator()(const Macro& node) const { return self.execute(node), Flow::on; }
    Flow operator()(const CallBlock& node) const { return self.execute(node), Flow::on; }
    Flow operator()(const FilterBlock& node) const { return self.execute(node), Flow::on; }
    Flow operator()(const With& node) const { return self.execute(node); }
    Flow operator()(const Generation& node) const { return self.output(self.captured(node.body)), Flow::on; }
    Flow operator()(const Break&) const { return Flow::break_loop; }
    Flow operator()(const Continue&) const { return Flow::continue_loop; }
  };
  try {
    const Depth depth(*this);
    step();
    return std::visit(Visitor{*this}, statement.node);
  } catch (const TemplateError&) {
    throw;
  } catch (const std::invalid_argument& error) {
    throw TemplateError(origin_, statement.place, error.what());
  }
}

Interpreter::Flow Interpreter::execute(const If& node) {
  for (const auto& [condition, block] : node.branches)
    if (truth(evaluate(*condition))) return execute(block);
  return execute(node.otherwise);
}

Interpreter::Flow Interpreter::execute(const For& node) {
  auto loop = std::make_shared<Loop>();
  loop->source = iterate(*this, evaluate(*node.sequence));
  loop->statement = &node;
  loop->outer = scope_;
  while (!loop->ahead.empty() || fetch(*loop)) {
    loop->previous = std::move(loop->item);
    loop->item = std::move(loop->ahead.front());
    loop->ahead.pop_front();
    ++loop->index0;
    scope_ = std::make_shared<Scope>(loop->outer);
    scope_->set("loop", Value(Value::Data(loop)));
    assign(node.target, *loop->item);
    const Flow flow = execute(node.body);
    scope_ = loop->outer;
    if (flow == Flow::break_loop) break;
  }
  return loop->index0 < 0 ? execute(node.otherwise) : Flow::on;
}

Interpreter::Flow Interpreter::execute(const With& node) {
  const auto outer = scope_;
  const auto inner = std::make_shared<Scope>(outer);
  std::vector<Value> values;
  for (const auto& [target, value] : node.variables) values.push_back(evaluate(*value));
  scope_ = inner;
  for (std::size_t i = 0; i < values.size(); ++i) assign(node.variables[i].first, std::move(values[i]));
  const Flow flow = execute(node.body);
  scope_ = outer;
  return flow;
}

void Interpreter::execute(const Macro& node) {
  scope_->set(node.name, make_macro(node));
}

void Interpreter::execute(const CallBlock& node) {
  const auto& syntax = std::get<Call>(node.call->node);
  const Value callee = evaluate(*syntax.callee);
  Arguments arguments = evaluate(syntax.arguments);
  arguments.named.emplace_back("caller", make_macro(node.caller));
  output(text_of(*this, call(callee, std::move(arguments))));
}

void Interpreter::execute(const SetBlock& node) {
  std::string text = captured(node.body);
  if (node.filter == nullptr)
    assign(node.target, Value::text(std::move(text)));
  else
    assign(node.target, apply_filter(*node.filter, std::move(text)));
}

void Interpreter::execute(const FilterBlock& node) {
  output(text_of(*this, apply_filter(*node.filter, captured(node.body))));
}

Value Interpreter::apply_filter(const Expression& filter, std::string text) {
  std::optional<Value> outer = std::move(filtered_);
  filtered_ = Value::text(std::move(text));
  Value result = evaluate(filter);
  filtered_ = std::move(outer);
  return result;
}

void Interpreter::assign(const Target& target, Value value) {
  if (target.is_tuple) {
    std::vector<Value> items = iterate(*this, value);
    if (items.size() != target.parts.size())
      throw TemplateError(origin_, target.place,
                          "expected " + std::to_string(target.parts.size()) + " values to take apart, found " +
                              std::to_string(items.size()));
    for (std::size_t i = 0; i < items.size(); ++i) assign(target.parts[i], std::move(items[i]));
    return;
  }
  if (target.attribute.empty()) {
    scope_->set(target.name, std::move(value));
    return;
  }
  const Value* holder = scope_->find(target.name);
  const auto* space = holder == nullptr ? nullptr : holder->get<std::shared_ptr<Namespace>>();
  if (space == nullptr)
    throw TemplateError(origin_, target.place,
                        "'" + target.name + "' is no namespace: only a namespace's attributes can be set");
  if (target.attribute.starts_with('_'))
    throw TemplateError(origin_, target.place, "attributes of a namespace cannot begin with '_'");
  produce(sizeof(Value));
  (*space)->set(target.attribute, std::move(value));
}

}  // namespace retort::jinja
