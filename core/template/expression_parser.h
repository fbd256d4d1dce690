// The part of the parser that reads expressions; parser.cpp adds statements.
#pragma once

#include <string>
#include <vector>

#include "template/ast.h"
#include "template/lexer.h"

namespace retort::jinja {

class ExpressionParser {
 protected:
  ExpressionParser(std::vector<Token> tokens, std::string origin)
      : tokens_(std::move(tokens)), origin_(std::move(origin)) {}

  const Token& current() const { return tokens_[at_]; }
  const Token& next() const { return tokens_[at_ + 1 < tokens_.size() ? at_ + 1 : at_]; }
  Token take();
  bool take_symbol(std::string_view symbol);  ///< whether it stood here
  bool take_name(std::string_view name);
  void expect_symbol(std::string_view symbol);
  std::string expect_name();
  [[noreturn]] void refuse(const Place& place, const std::string& what) const;
  [[noreturn]] void refuse_current(const std::string& expected) const;

  enum class Conditionals { allowed, refused };
  ExpressionPointer expression(Conditionals conditionals = Conditionals::allowed);
  /// An expression, or several with commas between them, which are a tuple. Ends where a statement does, or at `end`.
  ExpressionPointer tuple(Conditionals conditionals = Conditionals::allowed, std::string_view end = "");
  ExpressionPointer filters(ExpressionPointer object);  ///< "| name(…)" as often as it stands here
  ExpressionPointer filter(ExpressionPointer object);   ///< "name(…)"

  template <typename Node>
  ExpressionPointer make(const Place& place, Node node, int height);

  /// Counts nested calls of the parser, which bounds its stack.
  class Nesting {
   public:
    explicit Nesting(ExpressionParser& parser);
    ~Nesting() { --parser_.nesting_; }
    Nesting(const Nesting&) = delete;
    Nesting& operator=(const Nesting&) = delete;

   private:
    ExpressionParser& parser_;
  };

  std::vector<Macro*> open_macros_;  ///< whose body is being read

 private:
  ExpressionPointer conditional();
  ExpressionPointer logical_or();
  ExpressionPointer logical_and();
  ExpressionPointer logical_not();
  ExpressionPointer comparison();
  ExpressionPointer sum();
  ExpressionPointer concatenation();
  ExpressionPointer product();
  ExpressionPointer power();
  enum class Filters { allowed, refused };
  ExpressionPointer unary(Filters filters = Filters::allowed);
  ExpressionPointer primary();
  ExpressionPointer name();
  ExpressionPointer number();
  ExpressionPointer list();
  ExpressionPointer dict();
  ExpressionPointer postfix(ExpressionPointer object);
  ExpressionPointer attribute(ExpressionPointer object);
  ExpressionPointer subscript(ExpressionPointer object);
  ExpressionPointer call(ExpressionPointer callee);
  ExpressionPointer test(ExpressionPointer object);
  CallSyntax call_arguments(int& height);
  bool ends_tuple(std::string_view end) const;

  std::vector<Token> tokens_;
  std::string origin_;
  std::size_t at_ = 0;
  int nesting_ = 0;
};

}  // namespace retort::jinja
