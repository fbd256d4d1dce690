// Answers of a prompt form as instructions: task/call_envelope.h says what stands around calls, names and arguments.
#include <algorithm>
#include <stdexcept>

#include "grammar/limits.h"
#include "grammar/program_builder.h"

namespace retort::grammar {
namespace {

using schema::OrderedJson;
using task::CallEnvelope;
using task::ToolEnvelope;
using task::ValueForm;
using Kind = Instruction::Kind;

/// The schema of a tool's arguments, with the values that the task gives some of them.
OrderedJson parameters_of(const ToolEnvelope& tool, const GrammarOptions& options) {
  OrderedJson parameters = tool.parameters;
  const auto replaced = options.enums.find(tool.name);
  if (replaced == options.enums.end()) return parameters;
  for (const auto& [argument, values] : replaced->second) {
    if (!parameters.contains("properties") || !parameters["properties"].contains(argument))
      throw std::invalid_argument("values for the argument \"" + argument + "\", which it does not have");
    if (values.empty())
      throw std::invalid_argument("values for the argument \"" + argument + "\": expected at least one");
    OrderedJson* schema = &parameters["properties"][argument];
    if (schema->is_object() && schema->contains("items")) schema = &(*schema)["items"];
    if (!schema->is_object()) *schema = OrderedJson::object();
    schema->erase("const");
    (*schema)["enum"] = values;
  }
  return parameters;
}

std::string escaped_for_pattern(const std::string& text) {
  std::string pattern;
  for (const char c : text)
    pattern += std::string(std::string_view("\\^$.*+?()[]{}|/").find(c) == std::string_view::npos ? "" : "\\") + c;
  return pattern;
}

/// Rules for the arguments of one tool that stand behind tokens of their own.
class TokenArguments {
 public:
  TokenArguments(ProgramBuilder& builder, const CallEnvelope& envelope, const SchemaRules& rules)
      : builder_(builder), envelope_(envelope), rules_(rules), json_(builder.json(rules)) {}

  /// A rule for all arguments, or -1 where none of the schema's forms can be written.
  Address build(const ToolEnvelope& tool, bool ask_back, Address close) {
    std::vector<Address> ways;
    for (const Form& form : rules_.rules[static_cast<std::size_t>(rules_.root)].forms) {
      if (form.kind != Form::Kind::object) continue;
      ObjectShape shape;
      std::vector<TokenId> tokens;
      std::size_t required = 0;
      for (const task::ArgumentEnvelope& argument : tool.arguments) {
        const auto member = std::find_if(form.members.begin(), form.members.end(),
                                         [&](const Member& one) { return one.name == argument.name; });
        if (member == form.members.end()) continue;
        const Address written = value(argument.form, member->value);
        if (written < 0) continue;
        required += member->required ? 1 : 0;
        shape.members.push_back({-1, written, member->required && !ask_back});
        tokens.push_back(argument.token);
      }
      const auto needed =
          std::count_if(form.members.begin(), form.members.end(), [](const Member& one) { return one.required; });
      if (static_cast<std::size_t>(needed) != required || form.count.least > static_cast<std::int64_t>(tokens.size()))
        continue;
      shape.any_order = envelope_.any_argument_order;
      shape.least = ask_back ? 0 : static_cast<std::uint32_t>(form.count.least);
      if (form.count.most != schema::unlimited) shape.most = static_cast<std::uint32_t>(form.count.most);
      shape.close = close;
      ways.push_back(tokens.empty() ? close : builder_.object(std::move(shape), {}, tokens));
    }
    return ways.empty() ? -1 : builder_.choose(std::move(ways));
  }

 private:
  const std::vector<Form>& forms(RuleIndex rule) const { return rules_.rules[static_cast<std::size_t>(rule)].forms; }

  Address value(ValueForm form, RuleIndex rule) {
    if (form == ValueForm::json) return builder_.literal(" ", builder_.call(json_ + rule, builder_.give_back()));
    std::vector<Address> ways;
    for (const Form& one : forms(rule)) {
      if (form == ValueForm::raw_string && one.kind == Form::Kind::string)
        ways.push_back(builder_.literal(" ", read_text(one.text, one.free_string, builder_.give_back())));
      if (form == ValueForm::string_list && one.kind == Form::Kind::array) add_lists(one, ways);
    }
    return ways.empty() ? -1 : builder_.choose(std::move(ways));
  }

  Address read_text(std::shared_ptr<const CountedText> text, bool free, Address next) {
    return builder_.text(std::move(text), Writing::plain, free, next);
  }

  void add_lists(const Form& list, std::vector<Address>& ways) {
    const auto count = [](std::int64_t value) {
      return value == schema::unlimited || value > INT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(value);
    };
    const std::uint32_t least = count(list.count.least), most = count(list.count.most);
    const std::vector<Form> none;
    for (const Form& item : list.items < 0 ? none : forms(list.items)) {
      if (item.kind != Form::Kind::string) continue;
      ListShape shape;
      const Address text = builder_.literal(" ", read_text(item.text, item.free_string, builder_.give_back()));
      shape.items = builder_.parts({{"", envelope_.next_item}}, text);
      shape.least = least;
      shape.most = most;
      shape.close = builder_.give_back();
      ways.push_back(builder_.list(std::move(shape)));
      if (!envelope_.conjunction.empty() && most > 0) add_spoken(item, std::max(least, 1U), most, ways);
    }
    if (least == 0) ways.push_back(builder_.give_back());  // the argument's token alone: an empty list
  }

  void add_spoken(const Form& item, std::uint32_t least, std::uint32_t most, std::vector<Address>& ways) {
    const bool any = item.free_string && least == 1 && most == UINT32_MAX && item.text->length.least <= 1 &&
                     item.text->length.most == schema::unlimited;
    if (any) {
      const auto text = std::make_shared<const CountedText>(CountedText{every_text(), {1, schema::unlimited}});
      ways.push_back(builder_.literal(" ", read_text(text, true, builder_.give_back())));
      return;
    }
    const std::string word = escaped_for_pattern(envelope_.conjunction);
    const CharacterAutomaton parts =
        from_pattern("^$|, | " + word + " |,$|^" + word + " | " + word + "$|^" + word + "$");
    CountedText text = counted(intersection(item.text->automaton, complement(parts)), item.text->length);
    if (text.automaton.empty()) return;
    const Address one =
        read_text(std::make_shared<const CountedText>(std::move(text)), item.free_string, builder_.give_back());
    const Address last = builder_.call(one, builder_.give_back());
    if (least <= 1) ways.push_back(builder_.literal(" ", last));
    if (most < 2) return;
    ListShape shape;
    Instruction next;
    next.kind = Kind::list_item;
    next.shape = builder_.next_list();
    shape.between = builder_.literal(", ", builder_.emit(next));
    shape.items = one;
    shape.least = std::max(least, 2U) - 1;
    shape.most = most == UINT32_MAX ? most : most - 1;
    shape.close = builder_.literal(" " + envelope_.conjunction + " ", last);
    ways.push_back(builder_.literal(" ", builder_.list(std::move(shape))));
  }

  ProgramBuilder& builder_;
  const CallEnvelope& envelope_;
  const SchemaRules& rules_;
  Address json_;  ///< of rule 0; the others follow
};

/// The rule for a call of `tool`, behind whose arguments stands tool.after.
Address tool_rule(ProgramBuilder& builder, const CallEnvelope& envelope, const ToolEnvelope& tool,
                  const GrammarOptions& options) {
  try {
    OrderedJson parameters = parameters_of(tool, options);
    if (options.ask_back) parameters.erase("required");
    const schema::SchemaDocument document(parameters);
    const SchemaRules rules = schema_rules(document, {.arguments = true});
    const Address close = builder.parts(tool.after, builder.give_back());
    Address arguments = -1;
    if (tool.by_token) {
      arguments = TokenArguments(builder, envelope, rules).build(tool, options.ask_back, close);
    } else {
      arguments = builder.call(builder.json(rules), close);
    }
    if (arguments < 0) throw std::invalid_argument("no arguments that this prompt form can write fit the schema");
    return builder.parts(tool.before, arguments);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("tool \"" + tool.name + "\": " + error.what());
  }
}

/// Text for the user, which must not look like the begin of a call.
std::shared_ptr<const CountedText> user_text(const CallEnvelope& envelope) {
  const task::EnvelopeParts& begin =
      !envelope.before_calls.empty() || envelope.tools.empty() ? envelope.before_calls : envelope.tools.front().before;
  CharacterAutomaton automaton = every_text();
  if (!begin.empty() && begin.front().token < 0 && !begin.front().text.empty())
    automaton = complement(from_pattern("^" + escaped_for_pattern(begin.front().text.substr(0, 1))));
  return std::make_shared<const CountedText>(CountedText{std::move(automaton), {}});
}

}  // namespace

std::shared_ptr<const Program> envelope_program(const CallEnvelope& envelope, const GrammarOptions& options) {
  for (const auto& [name, arguments] : options.enums)
    if (std::none_of(envelope.tools.begin(), envelope.tools.end(),
                     [&](const ToolEnvelope& tool) { return tool.name == name; }))
      throw std::invalid_argument("values for the tool \"" + name + "\", which the task does not have");
  ProgramBuilder builder(envelope.style, options.values_from_utterance);
  const Address accept = builder.emit({});
  std::vector<Address> tools;
  for (const ToolEnvelope& tool : envelope.tools) tools.push_back(tool_rule(builder, envelope, tool, options));
  std::vector<Address> answers;
  const bool any_tools = !tools.empty();
  if (any_tools) {
    ListShape calls;
    Instruction next;
    next.kind = Kind::list_item;
    next.shape = builder.next_list();
    calls.between = builder.parts(envelope.between_calls, builder.emit(next));
    calls.items = builder.choose(std::move(tools));
    calls.least = 1;
    const std::int64_t most =
        options.most_calls > 0 ? std::min(options.most_calls, envelope.most_calls) : envelope.most_calls;
    calls.most = static_cast<std::uint32_t>(std::clamp<std::int64_t>(most, 1, INT32_MAX));
    calls.close = builder.parts(envelope.after_calls, accept);
    answers.push_back(builder.parts(envelope.before_calls, builder.list(std::move(calls))));
  }
  if ((envelope.may_call_nothing && options.no_call) || answers.empty())
    answers.push_back(builder.parts(envelope.no_call, accept));
  const bool instead = envelope.text == task::EnvelopeText::instead_of_calls;
  if (envelope.text == task::EnvelopeText::none || (any_tools && !options.no_call))
    return builder.finish(builder.choose(std::move(answers)), envelope.ends);
  const Address behind = instead ? accept : builder.choose(answers);
  const Address said = builder.text(user_text(envelope), Writing::plain, false, behind);
  answers.push_back(said);
  return builder.finish(builder.choose(std::move(answers)), envelope.ends);
}

}  // namespace retort::grammar
