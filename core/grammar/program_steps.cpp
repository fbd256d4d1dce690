// What instructions that read nothing lead to: rules, lists and objects.
#include <algorithm>

#include "grammar/byte_automaton.h"
#include "grammar/text_reader.h"

namespace retort::grammar {
namespace {

using Kind = Instruction::Kind;
constexpr std::uint32_t unlimited = UINT32_MAX;

std::uint32_t less_one(std::uint32_t count) {
  return count == 0 || count == unlimited ? count : count - 1;
}

}  // namespace

void ByteAutomaton::expand(const Configuration& from, Work& work) {
  const Instruction& instruction = program_->code[static_cast<std::size_t>(from.place)];
  const auto go = [&](Address place) {
    Configuration next = from;
    next.place = place;
    next.b = 0;
    work.push_back(next);
  };
  switch (instruction.kind) {
    case Kind::literal:
    case Kind::token:
    case Kind::accept:
      break;
    case Kind::text:
      if (instruction.writing == Writing::plain && may_end_at(from))
        work.push_back({instruction.next, 0, 0, 0, unlimited, from.stack});
      break;
    case Kind::space:
    case Kind::other_colon:
      go(instruction.next);
      break;
    case Kind::choose:
      for (const Address target : instruction.targets) go(target);
      break;
    case Kind::text_begin:
      go(instruction.next);
      begin_text(*program_->code[static_cast<std::size_t>(instruction.next)].text, work.back());
      break;
    case Kind::call:
      give_back_to(from, instruction.next, from.a, instruction.targets.front(), work);
      break;
    case Kind::give_back:
      if (from.stack != 0) work.push_back(frames_[static_cast<std::size_t>(from.stack)].back);
      break;
    case Kind::list_begin:
    case Kind::list_after:
    case Kind::list_item:
      expand_list(from, instruction, work);
      break;
    default:
      expand_object(from, instruction, work);
  }
}

/// Reads `rule`, which then gives back to `back` with the counters of `from`.
void ByteAutomaton::give_back_to(const Configuration& from, Address back, std::int32_t a, Address rule, Work& work) {
  work.push_back({rule, 0, 0, 0, unlimited, push({back, a, 0, from.needed, from.left, from.stack})});
}

void ByteAutomaton::expand_list(const Configuration& from, const Instruction& instruction, Work& work) {
  const ListShape& shape = program_->lists[static_cast<std::size_t>(instruction.shape)];
  Configuration at = from;
  if (instruction.kind == Kind::list_begin) at = {from.place, 0, 0, shape.least, shape.most, from.stack};
  if (instruction.kind == Kind::list_item) return take_item(at, shape, work);
  if (at.needed == 0) work.push_back({shape.close, 0, 0, 0, unlimited, from.stack});
  const bool more = at.left > 0 && (static_cast<std::size_t>(at.a) < shape.prefix.size() || shape.items >= 0);
  if (!more) return;
  if (instruction.kind == Kind::list_begin || shape.between < 0) return take_item(at, shape, work);
  at.place = shape.between;
  work.push_back(at);
}

void ByteAutomaton::take_item(const Configuration& from, const ListShape& shape, Work& work) {
  const auto index = static_cast<std::size_t>(from.a);
  const Address rule = index < shape.prefix.size() ? shape.prefix[index] : shape.items;
  if (rule < 0 || from.left == 0) return;
  Configuration counted = from;
  counted.needed = less_one(from.needed);
  counted.left = less_one(from.left);
  const auto next = static_cast<std::int32_t>(std::min(index + 1, shape.prefix.size()));
  give_back_to(counted, shape.after, next, rule, work);
}

void ByteAutomaton::expand_object(const Configuration& from, const Instruction& instruction, Work& work) {
  const ObjectShape& shape = program_->objects[static_cast<std::size_t>(instruction.shape)];
  switch (instruction.kind) {
    case Kind::object_key:
      return offer_members(from, shape, work);
    case Kind::object_value:
    case Kind::other_value:
      return take_value(from, instruction, work);
    default:
      break;
  }
  const bool begins = instruction.kind == Kind::object_begin;
  Configuration at = from;
  if (begins) at = {from.place, 0, 0, shape.least, shape.most, from.stack};
  if (complete(at, shape)) work.push_back({shape.close, 0, 0, 0, unlimited, from.stack});
  if (begins || shape.between < 0) return offer_members(at, shape, work);
  if (!may_follow(at, shape)) return;
  at.place = shape.between;
  work.push_back(at);
}

bool ByteAutomaton::has_member(std::int32_t set, std::int32_t member) const {
  const std::vector<bool>& members = sets_[static_cast<std::size_t>(set)];
  return static_cast<std::size_t>(member) < members.size() && members[static_cast<std::size_t>(member)];
}

std::int32_t ByteAutomaton::with_member(std::int32_t set, std::int32_t member) {
  std::vector<bool> members = sets_[static_cast<std::size_t>(set)];
  members.resize(std::max(members.size(), static_cast<std::size_t>(member) + 1));
  members[static_cast<std::size_t>(member)] = true;
  const auto [found, fresh] = known_sets_.emplace(members, static_cast<std::int32_t>(sets_.size()));
  if (fresh) sets_.push_back(std::move(members));
  return found->second;
}

namespace {

/// Members that are still to come: all, and those required.
struct Outstanding {
  std::uint32_t possible = 0, required = 0;
};

}  // namespace

bool ByteAutomaton::complete(const Configuration& from, const ObjectShape& shape) const {
  if (from.needed > 0) return false;
  for (std::size_t i = shape.any_order ? 0 : static_cast<std::size_t>(from.a); i < shape.members.size(); ++i)
    if (shape.members[i].required && !(shape.any_order && has_member(from.a, static_cast<std::int32_t>(i))))
      return false;
  return true;
}

bool ByteAutomaton::offers(const Configuration& from, const ObjectShape& shape, std::size_t member) const {
  if (from.left == 0) return false;
  const std::size_t begin = shape.any_order ? 0 : static_cast<std::size_t>(from.a);
  if (member < begin || (shape.any_order && has_member(from.a, static_cast<std::int32_t>(member)))) return false;
  if (from.left == unlimited && from.needed == 0 && shape.any_order) return true;
  Outstanding behind;
  for (std::size_t i = begin; i < shape.members.size(); ++i) {
    if (i == member || (shape.any_order && has_member(from.a, static_cast<std::int32_t>(i)))) continue;
    if (!shape.any_order && i < member) {
      if (shape.members[i].required) return false;  // it would be passed by
      continue;
    }
    ++behind.possible;
    behind.required += shape.members[i].required ? 1 : 0;
  }
  const bool enough = !shape.others.empty() || from.needed <= behind.possible + 1;
  return enough && (from.left == unlimited || from.left - 1 >= behind.required);
}

bool ByteAutomaton::offers_others(const Configuration& from, const ObjectShape& shape) const {
  if (shape.others.empty() || from.left == 0) return false;
  std::uint32_t required = 0;
  for (std::size_t i = shape.any_order ? 0 : static_cast<std::size_t>(from.a); i < shape.members.size(); ++i)
    if (shape.members[i].required && !(shape.any_order && has_member(from.a, static_cast<std::int32_t>(i)))) ++required;
  if (!shape.any_order) return required == 0;
  return from.left == unlimited || from.left - 1 >= required;
}

bool ByteAutomaton::may_follow(const Configuration& from, const ObjectShape& shape) const {
  if (offers_others(from, shape)) return true;
  for (std::size_t i = 0; i < shape.members.size(); ++i)
    if (offers(from, shape, i)) return true;
  return false;
}

void ByteAutomaton::offer_members(const Configuration& from, const ObjectShape& shape, Work& work) {
  for (std::size_t i = 0; i < shape.members.size(); ++i) {
    if (!offers(from, shape, i)) continue;
    work.push_back(from);
    work.back().place = shape.members[i].key;
    work.back().b = 0;
  }
  if (!offers_others(from, shape)) return;
  const std::int32_t a = shape.any_order ? from.a : static_cast<std::int32_t>(shape.members.size());
  for (const ObjectShape::Other& other : shape.others) give_back_to(from, other.colon, a, other.key, work);
}

void ByteAutomaton::take_value(const Configuration& from, const Instruction& instruction, Work& work) {
  const ObjectShape& shape = program_->objects[static_cast<std::size_t>(instruction.shape)];
  const auto index = static_cast<std::size_t>(instruction.index);
  const bool other = instruction.kind == Kind::other_value;
  Configuration counted = from;
  counted.needed = less_one(from.needed);
  counted.left = less_one(from.left);
  const std::int32_t a = other             ? from.a
                         : shape.any_order ? with_member(from.a, instruction.index)
                                           : instruction.index + 1;
  give_back_to(counted, shape.after, a, other ? shape.others[index].value : shape.members[index].value, work);
}

}  // namespace retort::grammar
