// JSON values as instructions. Envelopes are in envelope_program.cpp.
#include "grammar/program_builder.h"

#include <algorithm>
#include <numeric>

#include "grammar/limits.h"

namespace retort::grammar {
namespace {

using Kind = Instruction::Kind;
using schema::OrderedJson;

constexpr std::size_t most_instructions = 2000000;

std::uint32_t count_of(std::int64_t count) {
  return count == schema::unlimited || count > INT32_MAX ? UINT32_MAX : static_cast<std::uint32_t>(count);
}

std::string quoted(const std::string& text) {
  return OrderedJson(text).dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
}

/// A constant array or object as the style writes it.
std::string written(const OrderedJson& json, bool spaced) {
  if (!json.is_structured()) return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  std::string text;
  for (const auto& item : json.items())
    text += (text.empty() ? ""
             : spaced     ? ", "
                          : ",") +
            (json.is_object() ? quoted(item.key()) + (spaced ? ": " : ":") : "") + written(item.value(), spaced);
  return json.is_object() ? "{" + text + "}" : "[" + text + "]";
}

}  // namespace

Address ProgramBuilder::emit(Instruction instruction) {
  check_limits(program_.code.size(), most_instructions, "instructions");
  program_.code.push_back(std::move(instruction));
  return static_cast<Address>(program_.code.size() - 1);
}

Address ProgramBuilder::literal(const std::string& bytes, Address next) {
  if (bytes.empty()) return next;
  Instruction instruction;
  instruction.kind = Kind::literal;
  instruction.bytes = bytes;
  instruction.next = next;
  return emit(std::move(instruction));
}

Address ProgramBuilder::choose(std::vector<Address> targets) {
  if (targets.size() == 1) return targets.front();
  Instruction instruction;
  instruction.kind = Kind::choose;
  instruction.targets = std::move(targets);
  return emit(std::move(instruction));
}

Address ProgramBuilder::call(Address rule, Address next) {
  Instruction instruction;
  instruction.kind = Kind::call;
  instruction.targets = {rule};
  instruction.next = next;
  return emit(std::move(instruction));
}

Address ProgramBuilder::give_back() {
  if (give_back_ < 0) {
    Instruction instruction;
    instruction.kind = Kind::give_back;
    give_back_ = emit(std::move(instruction));
  }
  return give_back_;
}

Address ProgramBuilder::parts(const task::EnvelopeParts& parts, Address next) {
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
    if (part->token < 0) {
      next = literal(part->text, next);
      continue;
    }
    Instruction instruction;
    instruction.kind = Kind::token;
    instruction.token = part->token;
    instruction.next = next;
    next = emit(std::move(instruction));
  }
  return next;
}

Address ProgramBuilder::text(std::shared_ptr<const CountedText> text, Writing writing, bool from_conversation,
                             Address next) {
  Instruction instruction;
  instruction.kind = Kind::text;
  instruction.text = std::move(text);
  instruction.writing = writing;
  instruction.from_conversation = from_conversation && from_conversation_;
  instruction.next = next;
  Instruction begin;
  begin.kind = Kind::text_begin;
  begin.next = emit(std::move(instruction));
  return emit(std::move(begin));
}

/// White space between tokens: what `loose` allows, or nothing.
Address ProgramBuilder::space(Address next, bool loose_only) {
  if (style_.spacing == task::JsonSpacing::loose) {
    Instruction instruction;
    instruction.kind = Kind::space;
    instruction.next = next;
    return emit(std::move(instruction));
  }
  return loose_only || style_.spacing == task::JsonSpacing::compact ? next : literal(" ", next);
}

Address ProgramBuilder::list(ListShape shape) {
  const auto index = static_cast<std::int32_t>(program_.lists.size());
  program_.lists.push_back(std::move(shape));
  Instruction instruction;
  instruction.kind = Kind::list_begin;
  instruction.shape = index;
  const Address begin = emit(instruction);
  instruction.kind = Kind::list_after;
  program_.lists.back().after = emit(instruction);
  return begin;
}

Address ProgramBuilder::array(const Form& form, const std::vector<Address>& rules) {
  ListShape shape;
  for (const RuleIndex rule : form.prefix) shape.prefix.push_back(rules[static_cast<std::size_t>(rule)]);
  shape.items = form.items < 0 ? -1 : rules[static_cast<std::size_t>(form.items)];
  shape.least = count_of(form.count.least);
  shape.most = count_of(form.count.most);
  Instruction item;
  item.kind = Kind::list_item;
  item.shape = next_list();
  shape.between = space(literal(",", space(emit(item), false)), true);
  shape.close = space(literal("]", give_back()), true);
  return literal("[", space(list(std::move(shape)), true));
}

Address ProgramBuilder::object(ObjectShape shape, const std::vector<std::string>& keys,
                               const std::vector<TokenId>& tokens) {
  const auto index = static_cast<std::int32_t>(program_.objects.size());
  for (std::size_t i = 0; i < shape.members.size(); ++i) {
    Instruction value;
    value.kind = Kind::object_value;
    value.shape = index;
    value.index = static_cast<std::int32_t>(i);
    const Address behind = emit(value);
    shape.members[i].key = tokens.empty() ? literal(quoted(keys[i]), space(literal(":", space(behind, false)), true))
                                          : parts({{"", tokens[i]}}, behind);
  }
  for (std::size_t i = 0; i < shape.others.size(); ++i) {
    Instruction value;
    value.kind = Kind::other_value;
    value.shape = index;
    value.index = static_cast<std::int32_t>(i);
    const Address behind = space(literal(":", space(emit(value), false)), true);
    value.kind = Kind::other_colon;
    value.next = behind;
    shape.others[i].colon = emit(value);
  }
  Instruction key;
  key.kind = Kind::object_key;
  key.shape = index;
  if (tokens.empty() && shape.close >= 0) shape.between = space(literal(",", space(emit(key), false)), true);
  program_.objects.push_back(std::move(shape));
  key.kind = Kind::object_begin;
  const Address begin = emit(key);
  key.kind = Kind::object_after;
  program_.objects.back().after = emit(key);
  return begin;
}

Address ProgramBuilder::object_form(const Form& form, const std::vector<Address>& rules) {
  ObjectShape shape;
  std::vector<std::size_t> order(form.members.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  if (style_.order == task::KeyOrder::alphabetical)
    std::sort(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return form.members[a].name < form.members[b].name; });
  std::vector<std::string> keys;
  for (const std::size_t i : order) {
    const Member& member = form.members[i];
    keys.push_back(member.name);
    shape.members.push_back({-1, rules[static_cast<std::size_t>(member.value)], member.required});
  }
  for (const OtherMembers& other : form.others) {
    const Address key =
        text(std::make_shared<const CountedText>(CountedText{*other.names, {}}), Writing::quoted, false, give_back());
    shape.others.push_back({literal("\"", key), -1, rules[static_cast<std::size_t>(other.value)]});
  }
  shape.any_order = style_.order == task::KeyOrder::any;
  shape.least = count_of(form.count.least);
  shape.most = count_of(form.count.most);
  shape.close = space(literal("}", give_back()), true);
  return literal("{", space(object(std::move(shape), keys, {}), true));
}

Address ProgramBuilder::form(const Form& form, const std::vector<Address>& rules) {
  switch (form.kind) {
    case Form::Kind::plain:
      return text(form.text, Writing::plain, false, give_back());
    case Form::Kind::string:
      return literal("\"", text(form.text, Writing::quoted, form.free_string, give_back()));
    case Form::Kind::array:
      return array(form, rules);
    case Form::Kind::object:
      return object_form(form, rules);
    case Form::Kind::constant:
      break;
  }
  std::vector<Address> ways = {
      literal(written(form.constant, style_.spacing == task::JsonSpacing::spaced), give_back())};
  if (style_.spacing == task::JsonSpacing::loose) ways.push_back(literal(written(form.constant, true), give_back()));
  return choose(std::move(ways));
}

Address ProgramBuilder::json(const SchemaRules& rules) {
  std::vector<Address> addresses;
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    Instruction instruction;
    instruction.kind = Kind::choose;
    addresses.push_back(emit(std::move(instruction)));
  }
  for (std::size_t i = 0; i < rules.rules.size(); ++i) {
    std::vector<Address> ways;
    for (const Form& one : rules.rules[i].forms) ways.push_back(form(one, addresses));
    at(addresses[i]).targets = std::move(ways);
  }
  return addresses.front();  // rules.root is 0
}

std::shared_ptr<const Program> ProgramBuilder::finish(Address start, std::vector<TokenId> ends) {
  program_.start = start;
  program_.ends = std::move(ends);
  return std::make_shared<const Program>(std::move(program_));
}

std::shared_ptr<const Program> schema_program(const SchemaRules& rules, const task::JsonStyle& style,
                                              std::vector<TokenId> ends) {
  const CompileClock clock(most_compile_seconds);
  ProgramBuilder builder(style, false);
  const Address accept = builder.emit({});
  const Address root = builder.json(rules);
  return builder.finish(builder.call(root, accept), std::move(ends));
}

}  // namespace retort::grammar
