// See expression_parser.h. One function per level of precedence, lowest first, as in Jinja2.
#include "template/expression_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

namespace retort::jinja {
namespace {

using Kind = Token::Kind;

constexpr int greatest_nesting = 100;  ///< of brackets, signs and blocks in the source
constexpr int greatest_height = 200;   ///< of an expression: also chains such as a + b + c

int height_of(const ExpressionPointer& expression) {
  return expression == nullptr ? 0 : expression->height;
}

std::optional<Comparison::Operator> comparison_operator(const Token& token) {
  using Operator = Comparison::Operator;
  static constexpr std::array<std::pair<std::string_view, Operator>, 6> symbols = {{{"==", Operator::equal},
                                                                                    {"!=", Operator::not_equal},
                                                                                    {"<", Operator::less},
                                                                                    {"<=", Operator::less_equal},
                                                                                    {">", Operator::greater},
                                                                                    {">=", Operator::greater_equal}}};
  for (const auto& [symbol, operation] : symbols)
    if (token.is_symbol(symbol)) return operation;
  return std::nullopt;
}

std::optional<Binary::Operator> product_operator(const Token& token) {
  using Operator = Binary::Operator;
  if (token.is_symbol("*")) return Operator::multiply;
  if (token.is_symbol("/")) return Operator::divide;
  if (token.is_symbol("//")) return Operator::floor_divide;
  if (token.is_symbol("%")) return Operator::modulo;
  return std::nullopt;
}

}  // namespace

ExpressionParser::Nesting::Nesting(ExpressionParser& parser) : parser_(parser) {
  if (++parser_.nesting_ <= greatest_nesting) return;
  --parser_.nesting_;
  parser_.refuse(parser_.current().place,
                 "expected at most " + std::to_string(greatest_nesting) + " levels of nesting, found more");
}

Token ExpressionParser::take() {
  Token token = current();
  if (token.kind != Kind::end) ++at_;
  return token;
}

bool ExpressionParser::take_symbol(std::string_view symbol) {
  if (!current().is_symbol(symbol)) return false;
  ++at_;
  return true;
}

bool ExpressionParser::take_name(std::string_view name) {
  if (!current().is_name(name)) return false;
  ++at_;
  return true;
}

void ExpressionParser::expect_symbol(std::string_view symbol) {
  if (!take_symbol(symbol)) refuse_current("'" + std::string(symbol) + "'");
}

std::string ExpressionParser::expect_name() {
  if (current().kind != Kind::name) refuse_current("a name");
  return take().text;
}

void ExpressionParser::refuse(const Place& place, const std::string& what) const {
  throw TemplateError(origin_, place, what);
}

void ExpressionParser::refuse_current(const std::string& expected) const {
  refuse(current().place, "expected " + expected + ", found " + description(current()));
}

template <typename Node>
ExpressionPointer ExpressionParser::make(const Place& place, Node node, int height) {
  if (height >= greatest_height)
    refuse(place, "expected an expression of at most " + std::to_string(greatest_height) + " levels, found more");
  return std::make_unique<const Expression>(Expression{std::move(node), place, height + 1});
}

ExpressionPointer ExpressionParser::expression(Conditionals conditionals) {
  const Nesting nesting(*this);
  return conditionals == Conditionals::allowed ? conditional() : logical_or();
}

bool ExpressionParser::ends_tuple(std::string_view end) const {
  return current().kind == Kind::variable_end || current().kind == Kind::block_end || current().is_symbol(")") ||
         (!end.empty() && current().is_name(end));
}

ExpressionPointer ExpressionParser::tuple(Conditionals conditionals, std::string_view end) {
  const Place place = current().place;
  std::vector<ExpressionPointer> items;
  bool is_tuple = false;
  int height = 0;
  while (true) {
    if (ends_tuple(end)) break;
    items.push_back(expression(conditionals));
    height = std::max(height, height_of(items.back()));
    if (!take_symbol(",")) break;
    is_tuple = true;
  }
  if (!is_tuple && items.empty()) refuse_current("an expression");
  if (!is_tuple) return std::move(items[0]);
  return make(place, ListLiteral{std::move(items), Sequence::Kind::tuple}, height);
}

ExpressionPointer ExpressionParser::conditional() {
  ExpressionPointer value = logical_or();
  while (current().is_name("if")) {
    const Place place = take().place;
    ExpressionPointer condition = logical_or();
    ExpressionPointer otherwise;
    if (take_name("else")) {
      const Nesting nesting(*this);
      otherwise = conditional();
    }
    const int height = std::max({height_of(value), height_of(condition), height_of(otherwise)});
    value = make(place, Conditional{std::move(condition), std::move(value), std::move(otherwise)}, height);
  }
  return value;
}

ExpressionPointer ExpressionParser::logical_or() {
  ExpressionPointer left = logical_and();
  while (current().is_name("or")) {
    const Place place = take().place;
    ExpressionPointer right = logical_and();
    const int height = std::max(height_of(left), height_of(right));
    left = make(place, Logical{false, std::move(left), std::move(right)}, height);
  }
  return left;
}

ExpressionPointer ExpressionParser::logical_and() {
  ExpressionPointer left = logical_not();
  while (current().is_name("and")) {
    const Place place = take().place;
    ExpressionPointer right = logical_not();
    const int height = std::max(height_of(left), height_of(right));
    left = make(place, Logical{true, std::move(left), std::move(right)}, height);
  }
  return left;
}

ExpressionPointer ExpressionParser::logical_not() {
  if (!current().is_name("not")) return comparison();
  const Nesting nesting(*this);
  const Place place = take().place;
  ExpressionPointer operand = logical_not();
  const int height = height_of(operand);
  return make(place, Unary{Unary::Operator::logical_not, std::move(operand)}, height);
}

ExpressionPointer ExpressionParser::comparison() {
  const Place place = current().place;
  Comparison node{sum(), {}};
  int height = height_of(node.first);
  while (true) {
    auto operation = comparison_operator(current());
    if (operation) {
      take();
    } else if (take_name("in")) {
      operation = Comparison::Operator::in;
    } else if (current().is_name("not") && next().is_name("in")) {
      take();
      take();
      operation = Comparison::Operator::not_in;
    } else {
      break;
    }
    node.rest.emplace_back(*operation, sum());
    height = std::max(height, height_of(node.rest.back().second));
  }
  if (node.rest.empty()) return std::move(node.first);
  return make(place, std::move(node), height);
}

ExpressionPointer ExpressionParser::sum() {
  ExpressionPointer left = concatenation();
  while (current().is_symbol("+") || current().is_symbol("-")) {
    const Token sign = take();
    const auto operation = sign.text == "+" ? Binary::Operator::add : Binary::Operator::subtract;
    ExpressionPointer right = concatenation();
    const int height = std::max(height_of(left), height_of(right));
    left = make(sign.place, Binary{operation, std::move(left), std::move(right)}, height);
  }
  return left;
}

ExpressionPointer ExpressionParser::concatenation() {
  const Place place = current().place;
  Concatenation node;
  node.parts.push_back(product());
  int height = height_of(node.parts[0]);
  while (take_symbol("~")) {
    node.parts.push_back(product());
    height = std::max(height, height_of(node.parts.back()));
  }
  if (node.parts.size() == 1) return std::move(node.parts[0]);
  return make(place, std::move(node), height);
}

ExpressionPointer ExpressionParser::product() {
  ExpressionPointer left = power();
  while (const auto operation = product_operator(current())) {
    const Place place = take().place;
    ExpressionPointer right = power();
    const int height = std::max(height_of(left), height_of(right));
    left = make(place, Binary{*operation, std::move(left), std::move(right)}, height);
  }
  return left;
}

ExpressionPointer ExpressionParser::power() {
  ExpressionPointer left = unary();
  while (current().is_symbol("**")) {
    const Place place = take().place;
    ExpressionPointer right = unary();
    const int height = std::max(height_of(left), height_of(right));
    left = make(place, Binary{Binary::Operator::power, std::move(left), std::move(right)}, height);
  }
  return left;
}

/// A filter binds weaker than a sign: -1 | abs is 1.
ExpressionPointer ExpressionParser::unary(Filters wanted) {
  const Nesting nesting(*this);
  ExpressionPointer value;
  if (current().is_symbol("-") || current().is_symbol("+")) {
    const Token sign = take();
    ExpressionPointer operand = unary(Filters::refused);
    const int height = height_of(operand);
    const auto operation = sign.text == "-" ? Unary::Operator::negate : Unary::Operator::plus;
    value = make(sign.place, Unary{operation, std::move(operand)}, height);
  } else {
    value = primary();
  }
  value = postfix(std::move(value));
  return wanted == Filters::allowed ? filters(std::move(value)) : std::move(value);
}

ExpressionPointer ExpressionParser::primary() {
  const Token token = current();
  switch (token.kind) {
    case Kind::name:
      return name();
    case Kind::integer:
    case Kind::floating:
      return number();
    case Kind::string: {
      std::string text;
      while (current().kind == Kind::string) text += take().text;  // 'a' 'b' is 'ab'
      return make(token.place, Constant{Value::text(std::move(text))}, 0);
    }
    default:
      break;
  }
  if (token.is_symbol("[")) return list();
  if (token.is_symbol("{")) return dict();
  if (!token.is_symbol("(")) refuse_current("an expression");
  take();
  if (take_symbol(")")) return make(token.place, ListLiteral{{}, Sequence::Kind::tuple}, 0);
  ExpressionPointer inner = tuple();
  expect_symbol(")");
  return inner;
}

ExpressionPointer ExpressionParser::name() {
  const Token token = take();
  const std::string& name = token.text;
  if (name == "true" || name == "True") return make(token.place, Constant{Value::boolean(true)}, 0);
  if (name == "false" || name == "False") return make(token.place, Constant{Value::boolean(false)}, 0);
  if (name == "none" || name == "None") return make(token.place, Constant{Value()}, 0);
  if (name == "lipsum" || name == "cycler" || name == "joiner" || name == "self" || name == "super")
    refuse(token.place, "'" + name + "' is not supported");
  for (Macro* macro : open_macros_) {
    macro->uses_caller = macro->uses_caller || name == "caller";
    macro->uses_varargs = macro->uses_varargs || name == "varargs";
    macro->uses_kwargs = macro->uses_kwargs || name == "kwargs";
  }
  return make(token.place, Name{name}, 0);
}

ExpressionPointer ExpressionParser::number() {
  const Token token = take();
  const char* const end = token.text.data() + token.text.size();
  if (token.kind == Kind::floating) {
    double value = 0;
    if (std::from_chars(token.text.data(), end, value).ec != std::errc())
      refuse(token.place, "expected a number that fits a double, found " + token.text);
    return make(token.place, Constant{Value::floating(value)}, 0);
  }
  std::int64_t value = 0;
  if (std::from_chars(token.text.data(), end, value).ec != std::errc())
    refuse(token.place, "expected an integer of 64 bits, found " + token.text);
  return make(token.place, Constant{Value::integer(value)}, 0);
}

ExpressionPointer ExpressionParser::list() {
  const Place place = take().place;
  std::vector<ExpressionPointer> items;
  int height = 0;
  while (!current().is_symbol("]")) {
    if (!items.empty()) expect_symbol(",");
    if (current().is_symbol("]")) break;
    items.push_back(expression());
    height = std::max(height, height_of(items.back()));
  }
  expect_symbol("]");
  return make(place, ListLiteral{std::move(items), Sequence::Kind::list}, height);
}

ExpressionPointer ExpressionParser::dict() {
  const Place place = take().place;
  DictLiteral node;
  int height = 0;
  while (!current().is_symbol("}")) {
    if (!node.entries.empty()) expect_symbol(",");
    if (current().is_symbol("}")) break;
    ExpressionPointer key = expression();
    expect_symbol(":");
    node.entries.emplace_back(std::move(key), expression());
    height = std::max({height, height_of(node.entries.back().first), height_of(node.entries.back().second)});
  }
  expect_symbol("}");
  return make(place, std::move(node), height);
}

ExpressionPointer ExpressionParser::postfix(ExpressionPointer object) {
  while (true) {
    if (current().is_symbol("."))
      object = attribute(std::move(object));
    else if (current().is_symbol("["))
      object = subscript(std::move(object));
    else if (current().is_symbol("("))
      object = call(std::move(object));
    else
      return object;
  }
}

ExpressionPointer ExpressionParser::attribute(ExpressionPointer object) {
  take();
  const Token token = current();
  const int height = height_of(object);
  if (token.kind == Kind::name) {
    take();
    return make(token.place, AttributeAccess{std::move(object), token.text}, height);
  }
  if (token.kind != Kind::integer) refuse_current("a name or a number");
  ExpressionPointer key = number();  // messages.0
  return make(token.place, ItemAccess{std::move(object), std::move(key)}, height);
}

ExpressionPointer ExpressionParser::subscript(ExpressionPointer object) {
  const Place place = take().place;
  std::array<ExpressionPointer, 3> parts;  // begin, end, step
  std::size_t count = 0;
  int height = height_of(object);
  while (!current().is_symbol("]") && count < 3) {
    if (!current().is_symbol(":")) {
      parts[count] = expression();
      height = std::max(height, height_of(parts[count]));
    }
    ++count;
    if (!current().is_symbol(":")) break;
    if (count == 3) refuse_current("']'");
    take();
    if (current().is_symbol("]")) ++count;  // a slice without an end: x[1:]
  }
  if (current().is_symbol(",")) refuse(current().place, "several items in brackets are not supported");
  expect_symbol("]");
  if (count == 0) refuse(place, "expected an index in the brackets, found none");
  if (count == 1) return make(place, ItemAccess{std::move(object), std::move(parts[0])}, height);
  return make(place, SliceAccess{std::move(object), std::move(parts[0]), std::move(parts[1]), std::move(parts[2])},
              height);
}

CallSyntax ExpressionParser::call_arguments(int& height) {
  const Place place = current().place;
  expect_symbol("(");
  CallSyntax syntax;
  const auto read = [&] {
    ExpressionPointer value = expression();
    height = std::max(height, height_of(value));
    return value;
  };
  const auto require = [&](bool valid) {
    if (!valid) refuse(place, "expected positional arguments, then *list, then named ones, then **object");
  };
  for (bool first = true; !current().is_symbol(")"); first = false) {
    if (!first) expect_symbol(",");
    if (current().is_symbol(")")) break;
    if (take_symbol("*")) {
      require(syntax.more_positional == nullptr && syntax.more_named == nullptr);
      syntax.more_positional = read();
    } else if (take_symbol("**")) {
      require(syntax.more_named == nullptr);
      syntax.more_named = read();
    } else if (current().kind == Kind::name && next().is_symbol("=")) {
      require(syntax.more_named == nullptr);
      std::string key = take().text;
      take();
      syntax.named.emplace_back(std::move(key), read());
    } else {
      require(syntax.more_positional == nullptr && syntax.more_named == nullptr && syntax.named.empty());
      syntax.positional.push_back(read());
    }
  }
  expect_symbol(")");
  return syntax;
}

ExpressionPointer ExpressionParser::call(ExpressionPointer callee) {
  const Place place = callee->place;
  int height = height_of(callee);
  CallSyntax arguments = call_arguments(height);
  return make(place, Call{std::move(callee), std::move(arguments)}, height);
}

ExpressionPointer ExpressionParser::filters(ExpressionPointer object) {
  while (true) {
    if (take_symbol("|"))
      object = filter(std::move(object));
    else if (current().is_name("is"))
      object = test(std::move(object));
    else if (current().is_symbol("("))
      object = call(std::move(object));  // (x | filter)(…)
    else
      return object;
  }
}

ExpressionPointer ExpressionParser::filter(ExpressionPointer object) {
  const Place place = current().place;
  const std::string name = expect_name();
  const BuiltIn function = find_filter(name);
  if (function == nullptr || current().is_symbol(".")) refuse(place, "the filter '" + name + "' is not supported");
  int height = height_of(object);
  CallSyntax arguments;
  if (current().is_symbol("(")) arguments = call_arguments(height);
  return make(place, FilterCall{std::move(object), name, function, std::move(arguments)}, height);
}

ExpressionPointer ExpressionParser::test(ExpressionPointer object) {
  take();
  const bool negated = take_name("not");
  const Place place = current().place;
  const std::string name = expect_name();
  const BuiltIn function = find_test(name);
  if (function == nullptr || current().is_symbol(".")) refuse(place, "the test '" + name + "' is not supported");
  int height = height_of(object);
  CallSyntax arguments;
  const Token& token = current();
  const bool operand = token.kind == Kind::name || token.kind == Kind::string || token.kind == Kind::integer ||
                       token.kind == Kind::floating || token.is_symbol("[") || token.is_symbol("{");
  if (token.is_symbol("(")) {
    arguments = call_arguments(height);
  } else if (token.is_name("is")) {
    refuse(token.place, "tests cannot be chained with 'is'; put the first into parentheses");
  } else if (operand && !token.is_name("else") && !token.is_name("or") && !token.is_name("and")) {
    if (token.is_name("if") || token.is_name("in") || token.is_name("not")) {
      // Jinja2 takes these names as arguments and fails over what follows, or at rendering.
      if (!token.is_name("if")) refuse_current("the end of the test");
      return make(place, TestCall{std::move(object), name, function, {}, negated}, height);
    }
    arguments.positional.push_back(postfix(primary()));
    height = std::max(height, height_of(arguments.positional[0]));
  }
  return make(place, TestCall{std::move(object), name, function, std::move(arguments), negated}, height);
}

}  // namespace retort::jinja
