// A parsed template: immutable nodes with the place where each stands. Built by parser.h, walked by interpreter.h.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "template/error.h"
#include "template/functions.h"
#include "template/value.h"

namespace retort::jinja {

struct Expression;
using ExpressionPointer = std::unique_ptr<const Expression>;

/// f(a, *b, name=c, **d)
struct CallSyntax {
  std::vector<ExpressionPointer> positional;
  ExpressionPointer more_positional;  ///< behind *, or null
  std::vector<std::pair<std::string, ExpressionPointer>> named;
  ExpressionPointer more_named;  ///< behind **, or null
};

struct Constant {
  Value value;
};
struct Name {
  std::string name;
};
struct ListLiteral {
  std::vector<ExpressionPointer> items;
  Sequence::Kind kind;  ///< list or tuple
};
struct DictLiteral {
  std::vector<std::pair<ExpressionPointer, ExpressionPointer>> entries;
};
struct AttributeAccess {
  ExpressionPointer object;
  std::string name;
};
struct ItemAccess {
  ExpressionPointer object, key;
};
struct SliceAccess {
  ExpressionPointer object;
  ExpressionPointer begin, end, step;  ///< null where absent
};
struct Call {
  ExpressionPointer callee;
  CallSyntax arguments;
};
struct FilterCall {
  ExpressionPointer object;  ///< null in a filter block: the block's text
  std::string name;
  BuiltIn function;
  CallSyntax arguments;
};
struct TestCall {
  ExpressionPointer object;
  std::string name;
  BuiltIn function;
  CallSyntax arguments;
  bool negated = false;
};
struct Unary {
  enum class Operator { negate, plus, logical_not } operation;
  ExpressionPointer operand;
};
struct Binary {
  enum class Operator { add, subtract, multiply, divide, floor_divide, modulo, power } operation;
  ExpressionPointer left, right;
};
struct Concatenation {
  std::vector<ExpressionPointer> parts;
};
struct Comparison {
  enum class Operator { equal, not_equal, less, less_equal, greater, greater_equal, in, not_in };
  ExpressionPointer first;
  std::vector<std::pair<Operator, ExpressionPointer>> rest;  ///< a < b < c
};
struct Logical {
  bool is_and;
  ExpressionPointer left, right;
};
struct Conditional {
  ExpressionPointer condition, value;
  ExpressionPointer otherwise;  ///< null: undefined
};

struct Expression {
  std::variant<Constant, Name, ListLiteral, DictLiteral, AttributeAccess, ItemAccess, SliceAccess, Call, FilterCall,
               TestCall, Unary, Binary, Concatenation, Comparison, Logical, Conditional>
      node;
  Place place;
  int height = 1;  ///< of the tree below, itself included
};

struct Statement;
using Block = std::vector<std::unique_ptr<const Statement>>;

/// What can be assigned to: a name, a namespace's attribute, or several targets that take a value apart.
struct Target {
  std::string name;
  std::string attribute;      ///< of the namespace `name`; empty: the name itself
  std::vector<Target> parts;  ///< not empty: a tuple
  bool is_tuple = false;
  Place place;
};

struct Parameter {
  std::string name;
  ExpressionPointer fallback;  ///< null: none
};

struct OutputText {
  std::string text;
};
struct OutputValue {
  ExpressionPointer value;
};
struct If {
  std::vector<std::pair<ExpressionPointer, Block>> branches;
  Block otherwise;
};
struct For {
  Target target;
  ExpressionPointer sequence;
  ExpressionPointer filter;  ///< null: none
  Block body, otherwise;
};
struct Set {
  Target target;
  ExpressionPointer value;
};
struct SetBlock {
  Target target;
  ExpressionPointer filter;  ///< FilterCall without an object, or null
  Block body;
};
/// Also the body of a call block, which is a macro without a name.
struct Macro {
  std::string name;
  std::vector<Parameter> parameters;
  Block body;
  bool uses_caller = false, uses_varargs = false, uses_kwargs = false;  ///< names that its body reads
};
struct CallBlock {
  ExpressionPointer call;  ///< a Call
  Macro caller;
};
struct FilterBlock {
  ExpressionPointer filter;
  Block body;
};
struct With {
  std::vector<std::pair<Target, ExpressionPointer>> variables;
  Block body;
};
struct Generation {
  Block body;  ///< what Transformers marks as the assistant's; rendered as if it stood alone
};
struct Break {};
struct Continue {};

struct Statement {
  std::variant<OutputText, OutputValue, If, For, Set, SetBlock, Macro, CallBlock, FilterBlock, With, Generation, Break,
               Continue>
      node;
  Place place;
};

}  // namespace retort::jinja
