// See productive_rules.h.
#include "grammar/productive_rules.h"

#include <algorithm>

namespace retort::grammar {
namespace {

using Flags = std::vector<std::uint8_t>;

bool holds(const Flags& productive, RuleIndex rule) {
  return rule >= 0 && productive[static_cast<std::size_t>(rule)] != 0;
}

/// How many items can stand at most.
std::int64_t most_items(const Form& form, const Flags& productive) {
  std::int64_t most = 0;
  for (const RuleIndex rule : form.prefix) {
    if (!holds(productive, rule)) return most;
    ++most;
  }
  return holds(productive, form.items) ? schema::unlimited : most;
}

bool array_productive(const Form& form, const Flags& productive) {
  const std::int64_t most = most_items(form, productive);
  if (form.count.most != schema::unlimited && form.count.most < form.count.least) return false;
  return most == schema::unlimited || most >= form.count.least;
}

bool object_productive(const Form& form, const Flags& productive) {
  std::int64_t possible = 0, required = 0;
  for (const Member& member : form.members) {
    const bool can = holds(productive, member.value);
    if (member.required && !can) return false;
    required += member.required ? 1 : 0;
    possible += can ? 1 : 0;
  }
  const bool others = std::any_of(form.others.begin(), form.others.end(),
                                  [&](const OtherMembers& other) { return holds(productive, other.value); });
  if (form.count.most != schema::unlimited && (required > form.count.most || form.count.least > form.count.most))
    return false;
  return others || possible >= form.count.least;
}

bool form_productive(const Form& form, const Flags& productive) {
  switch (form.kind) {
    case Form::Kind::plain:
    case Form::Kind::string:
      return form.text != nullptr && !form.text->automaton.empty();
    case Form::Kind::constant:
      return true;
    case Form::Kind::array:
      return array_productive(form, productive);
    case Form::Kind::object:
      return object_productive(form, productive);
  }
  return false;
}

}  // namespace

std::vector<std::uint8_t> productive_rules(const SchemaRules& rules) {
  Flags productive(rules.rules.size(), 0);
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = rules.rules.size(); i-- > 0;) {  // parts come behind wholes: often one pass does
      if (productive[i] != 0) continue;
      const auto& forms = rules.rules[i].forms;
      if (std::any_of(forms.begin(), forms.end(), [&](const Form& form) { return form_productive(form, productive); }))
        productive[i] = 1, changed = true;
    }
  }
  return productive;
}

void cut_unproductive(SchemaRules& rules, const std::vector<std::uint8_t>& productive) {
  for (Rule& rule : rules.rules) {
    std::erase_if(rule.forms, [&](const Form& form) { return !form_productive(form, productive); });
    for (Form& form : rule.forms) {
      if (form.kind == Form::Kind::array) {
        const std::int64_t most = most_items(form, productive);
        if (most != schema::unlimited && (form.count.most == schema::unlimited || form.count.most > most))
          form.count.most = most;
      }
      std::erase_if(form.members, [&](const Member& member) { return !holds(productive, member.value); });
      std::erase_if(form.others, [&](const OtherMembers& other) { return !holds(productive, other.value); });
    }
  }
}

}  // namespace retort::grammar
