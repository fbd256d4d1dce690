// See parser.h: statements. Expressions are in expression_parser.cpp.
#include "template/parser.h"

#include <algorithm>
#include <array>

#include "template/expression_parser.h"

namespace retort::jinja {
namespace {

using Kind = Token::Kind;
using Ends = std::vector<std::string_view>;

template <typename Node>
std::unique_ptr<const Statement> statement(const Place& place, Node node) {
  return std::make_unique<const Statement>(Statement{std::move(node), place});
}

class Parser : ExpressionParser {
 public:
  Parser(std::string_view source, const std::string& origin) : ExpressionParser(tokenize(source, origin), origin) {}

  Block run() {
    Block block = body({});
    if (current().kind != Kind::end) refuse_current("the end of the template");
    return block;
  }

 private:
  /// Statements up to a tag that is one of `ends`; its name is the current token then.
  Block body(const Ends& ends) {
    const Nesting nesting(*this);
    Block block;
    while (current().kind != Kind::end) {
      const Token token = take();
      if (token.kind == Kind::text) {
        block.push_back(statement(token.place, OutputText{token.text}));
      } else if (token.kind == Kind::variable_begin) {
        block.push_back(output(token.place));
      } else {
        if (current().kind == Kind::name && std::find(ends.begin(), ends.end(), current().text) != ends.end())
          return block;
        block.push_back(tag(token.place));
      }
    }
    if (!ends.empty()) refuse_current("'{% " + std::string(ends.back()) + " %}'");
    return block;
  }

  /// The rest of a tag with a body, to the end of its last tag.
  Block body_until(std::string_view end) {
    end_tag();
    Block block = body({end});
    take();
    return block;
  }

  /// The same where the text is captured, so that a loop around it cannot be left.
  Block captured_body_until(std::string_view end) {
    const int loops = loops_;
    loops_ = 0;
    Block block = body_until(end);
    loops_ = loops;
    return block;
  }

  void end_tag() {
    take_symbol(":");
    if (current().kind != Kind::block_end) refuse_current("'%}'");
    take();
  }

  std::unique_ptr<const Statement> output(const Place& place) {
    ExpressionPointer value = tuple();
    if (current().kind != Kind::variable_end) refuse_current("'}}'");
    take();
    return statement(place, OutputValue{std::move(value)});
  }

  std::unique_ptr<const Statement> tag(const Place& place) {
    using Reader = std::unique_ptr<const Statement> (Parser::*)(const Place&);
    static constexpr std::array<std::pair<std::string_view, Reader>, 10> readers = {{
        {"if", &Parser::read_if},
        {"for", &Parser::read_for},
        {"set", &Parser::read_set},
        {"macro", &Parser::read_macro},
        {"call", &Parser::read_call},
        {"filter", &Parser::read_filter},
        {"with", &Parser::read_with},
        {"generation", &Parser::read_generation},
        {"break", &Parser::read_loop_control},
        {"continue", &Parser::read_loop_control},
    }};
    if (current().kind != Kind::name) refuse_current("the name of a tag");
    for (const auto& [name, reader] : readers) {
      if (!current().is_name(name)) continue;
      auto result = (this->*reader)(place);
      end_tag();
      return result;
    }
    refuse(current().place, "the tag '" + current().text + "' is not supported here");
  }

  std::unique_ptr<const Statement> read_if(const Place& place) {
    If node;
    do {
      take();
      ExpressionPointer condition = tuple(Conditionals::refused);
      end_tag();
      node.branches.emplace_back(std::move(condition), body({"elif", "else", "endif"}));
    } while (current().is_name("elif"));
    if (take_name("else")) {
      node.otherwise = body_until("endif");
    } else {
      take();
    }
    return statement(place, std::move(node));
  }

  std::unique_ptr<const Statement> read_for(const Place& place) {
    take();
    For node;
    node.target = target(Attributes::refused, "in");
    if (!take_name("in")) refuse_current("'in'");
    node.sequence = tuple(Conditionals::refused, "recursive");
    if (take_name("if")) node.filter = expression();
    if (current().is_name("recursive")) refuse(current().place, "recursive loops are not supported");
    end_tag();
    ++loops_;
    node.body = body({"else", "endfor"});
    --loops_;
    if (take_name("else"))
      node.otherwise = body_until("endfor");
    else
      take();
    return statement(place, std::move(node));
  }

  std::unique_ptr<const Statement> read_set(const Place& place) {
    take();
    Target where = target(Attributes::allowed, "");
    if (take_symbol("=")) return statement(place, Set{std::move(where), tuple()});
    ExpressionPointer transformed;
    while (take_symbol("|")) transformed = filter(std::move(transformed));
    return statement(place, SetBlock{std::move(where), std::move(transformed), captured_body_until("endset")});
  }

  std::unique_ptr<const Statement> read_macro(const Place& place) {
    take();
    Macro node;
    node.name = target_name().name;
    read_parameters(node);
    read_macro_body(node, "endmacro");
    return statement(place, std::move(node));
  }

  std::unique_ptr<const Statement> read_call(const Place& place) {
    take();
    CallBlock node;
    node.caller.name = "caller";
    if (current().is_symbol("(")) read_parameters(node.caller);
    node.call = expression();
    if (std::get_if<Call>(&node.call->node) == nullptr) refuse(node.call->place, "expected a call");
    read_macro_body(node.caller, "endcall");
    return statement(place, std::move(node));
  }

  void read_parameters(Macro& macro) {
    expect_symbol("(");
    while (!current().is_symbol(")")) {
      if (!macro.parameters.empty()) expect_symbol(",");
      const Target name = target_name();
      for (const Parameter& other : macro.parameters)
        if (other.name == name.name) refuse(name.place, "the parameter '" + name.name + "' stands twice");
      Parameter parameter{name.name, nullptr};
      if (take_symbol("="))
        parameter.fallback = expression();
      else if (!macro.parameters.empty() && macro.parameters.back().fallback != nullptr)
        refuse(name.place, "expected a default for '" + name.name + "', as the parameter before it has one");
      macro.parameters.push_back(std::move(parameter));
    }
    expect_symbol(")");
  }

  void read_macro_body(Macro& macro, std::string_view end) {
    open_macros_.push_back(&macro);
    macro.body = captured_body_until(end);
    open_macros_.pop_back();
  }

  std::unique_ptr<const Statement> read_filter(const Place& place) {
    take();
    FilterBlock node;
    node.filter = filter(nullptr);
    while (take_symbol("|")) node.filter = filter(std::move(node.filter));
    node.body = captured_body_until("endfilter");
    return statement(place, std::move(node));
  }

  std::unique_ptr<const Statement> read_with(const Place& place) {
    take();
    With node;
    while (current().kind != Kind::block_end) {
      if (!node.variables.empty()) expect_symbol(",");
      Target name = target(Attributes::refused, "");
      expect_symbol("=");
      node.variables.emplace_back(std::move(name), expression());
    }
    node.body = body_until("endwith");
    return statement(place, std::move(node));
  }

  std::unique_ptr<const Statement> read_generation(const Place& place) {
    take();
    return statement(place, Generation{captured_body_until("endgeneration")});
  }

  std::unique_ptr<const Statement> read_loop_control(const Place& place) {
    if (loops_ == 0) refuse(current().place, "'" + current().text + "' outside a loop");
    if (take().text == "break") return statement(place, Break{});
    return statement(place, Continue{});
  }

  enum class Attributes { allowed, refused };

  Target target_name() {
    const Place place = current().place;
    Target result;
    result.place = place;
    result.name = expect_name();
    for (const char* constant : {"true", "false", "none", "True", "False", "None"})
      if (result.name == constant) refuse(place, "expected a name, found '" + result.name + "'");
    return result;
  }

  Target single_target(Attributes attributes) {
    if (current().is_symbol("(")) {
      const Nesting nesting(*this);
      take();
      Target inner = target(attributes, "");
      expect_symbol(")");
      return inner;
    }
    Target result = target_name();
    if (attributes == Attributes::allowed && take_symbol(".")) result.attribute = expect_name();
    return result;
  }

  Target target(Attributes attributes, std::string_view end) {
    Target first = single_target(attributes);
    if (!current().is_symbol(",")) return first;
    Target all;
    all.is_tuple = true;
    all.place = first.place;
    all.parts.push_back(std::move(first));
    while (take_symbol(",")) {
      if (current().is_symbol("=") || current().is_symbol(")") || (!end.empty() && current().is_name(end))) break;
      all.parts.push_back(single_target(attributes));
    }
    return all;
  }

  int loops_ = 0;  ///< around what is being read, inside the same macro
};

}  // namespace

Block parse(std::string_view source, const std::string& origin) {
  return Parser(source, origin).run();
}

}  // namespace retort::jinja
