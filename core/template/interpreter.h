// Walks a template's tree and writes the prompt. One object per rendering; one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "template/ast.h"
#include "template/scope.h"
#include "template/session.h"

namespace retort::jinja {

class Interpreter : public Session {
 public:
  Interpreter(std::string origin, const Limits& limits, Dialect dialect, Clock clock);
  ~Interpreter() override;
  Interpreter(const Interpreter&) = delete;
  Interpreter& operator=(const Interpreter&) = delete;

  /// The names in `context` must stay alive. Throws TemplateError.
  std::string run(const Block& block, const std::vector<std::pair<std::string, Value>>& context);

  Value call(const Value& callee, Arguments arguments) override;
  std::shared_ptr<Namespace> make_namespace() override;

 private:
  enum class Flow { on, break_loop, continue_loop };

  Flow execute(const Block& block);
  Flow execute(const Statement& statement);
  Flow execute(const If& node);
  Flow execute(const For& node);
  Flow execute(const With& node);
  void execute(const Macro& node);
  void execute(const CallBlock& node);
  void execute(const SetBlock& node);
  void execute(const FilterBlock& node);
  void output(std::string_view text);
  std::string captured(const Block& block);  ///< its output, in a scope of its own
  void assign(const Target& target, Value value);

  bool fetch(Loop& loop);  ///< one more item that passes the filter into `ahead`; false at the end
  Value loop_attribute(const std::shared_ptr<Loop>& loop, const std::string& name);
  Value loop_changed(Loop& loop, Arguments arguments);
  Value make_macro(const Macro& node);
  Value call_macro(const Macro& node, const std::shared_ptr<Scope>& scope, Arguments arguments);
  void bind_parameters(const Macro& node, Arguments& arguments);
  void bind_more_arguments(const Macro& node, Arguments& arguments, std::size_t taken);

  Value evaluate(const Expression& expression);
  Value evaluate(const Constant& node) { return node.value; }
  Value evaluate(const Name& node);
  Value evaluate(const ListLiteral& node);
  Value evaluate(const DictLiteral& node);
  Value evaluate(const AttributeAccess& node);
  Value evaluate(const ItemAccess& node);
  Value evaluate(const SliceAccess& node);
  Value evaluate(const Call& node);
  Value evaluate(const FilterCall& node);
  Value evaluate(const TestCall& node);
  Value evaluate(const Unary& node);
  Value evaluate(const Binary& node);
  Value evaluate(const Concatenation& node);
  Value evaluate(const Comparison& node);
  Value evaluate(const Logical& node);
  Value evaluate(const Conditional& node);
  Arguments evaluate(const CallSyntax& syntax);
  bool compare(Comparison::Operator operation, const Value& left, const Value& right);
  Value apply_filter(const Expression& filter, std::string text);  ///< a FilterCall without an object at its root

  /// Bounds the stack: every statement and expression under evaluation counts, through calls of macros too.
  class Depth {
   public:
    explicit Depth(Interpreter& interpreter);
    ~Depth() { --interpreter_.depth_; }
    Depth(const Depth&) = delete;
    Depth& operator=(const Depth&) = delete;

   private:
    Interpreter& interpreter_;
  };

  std::string origin_;
  std::string output_;
  int depth_ = 0;
  std::shared_ptr<Scope> scope_;
  std::optional<Value> filtered_;  ///< the text of the filter block whose filters are being evaluated
  std::vector<std::shared_ptr<Namespace>> namespaces_;   ///< cleared at the end, as they may form cycles
  std::vector<std::shared_ptr<Scope>> captured_scopes_;  ///< the same
};

}  // namespace retort::jinja
