// Reads the groups of templates and composes utterances of them. Single clauses are clause_template.cpp's business.
#include "grammar.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <stdexcept>

#include "data.h"
#include "home.h"

namespace retort::home {
namespace {

using nlohmann::json;

/// Shares of 100: no tool, one call, two calls; the rest has three.
struct Mix {
  std::size_t none, single, pair;
};
/// What people say; training utterances ask for several things more often, because these are the hard ones.
constexpr Mix kSpoken{12, 70, 15};
constexpr Mix kTrained{10, 40, 32};
constexpr int kWrapPercent = 35;
constexpr int kPunctuatedPercent = 15;
constexpr int kFollowUpPercent = 10;  ///< of the pairs

std::string numbered(const std::string& group, bool test_only, std::size_t index) {
  return group + (test_only ? ".test" : ".") + (index < 10 ? "0" : "") + std::to_string(index);
}

bool begins_with(const std::string& text, std::string_view start) {
  return text.starts_with(start);
}

/// Replaces {a}, {b}, {c} by the clauses.
std::string fill(const std::string& frame, const std::vector<std::string>& clauses) {
  std::string result;
  for (std::size_t i = 0; i < frame.size(); ++i) {
    if (frame[i] == '{') {
      result += clauses.at(static_cast<std::size_t>(frame[i + 1] - 'a'));
      i += 2;
    } else {
      result += frame[i];
    }
  }
  return result;
}

bool asks(const std::string& text) {
  for (const char* start : {"what", "how", "who", "when", "will", "is ", "do you", "are you", "can you", "could you",
                            "would you", "hey can", "hey could", "okay can", "okay could"}) {
    if (begins_with(text, start)) return true;
  }
  return false;
}

/// Most utterances are as a speech recogniser gives them; some begin with a capital or end with a mark, as typed.
std::string punctuate(std::string text, Random& random) {
  if (!random.chance(kPunctuatedPercent)) return text;
  const std::size_t style = random.below(3);
  const char* mark = asks(text) ? "?" : ".";
  if (style != 1) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return style == 0 ? text : text + mark;
}

/// Validation takes one utterance in ten by its hash, so that the two splits never share one.
bool belongs(const std::string& text, Split split) {
  if (split == Split::test) return true;
  std::string key;
  for (const char c : text) {
    if (c != '.' && c != '?') key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return (fnv1a(key) % 10 == 0) == (split == Split::validation);
}

const ClauseTemplate& draw_template(const std::vector<ClauseTemplate>& templates, Split split, Random& random) {
  for (;;) {
    const ClauseTemplate& candidate = random.pick(templates);
    if (candidate.test_only() == (split == Split::test)) return candidate;
  }
}

json call_of(const Intent& intent, const Clause& clause) {
  return {{"name", intent.tool}, {"arguments", clause.arguments}};
}

bool holds(const json& arguments, const json& required) {
  return std::all_of(required.items().begin(), required.items().end(), [&](const auto& item) {
    return arguments.contains(item.key()) && arguments[item.key()] == item.value();
  });
}

std::vector<ClauseTemplate> templates_of(const json& list, const json& slots, const std::string& group) {
  const auto kinds = slots.get<std::map<std::string, std::string>>();
  std::vector<ClauseTemplate> templates;
  for (const json& one : list) {
    const bool test_only = one.value("test", false);
    templates.emplace_back(numbered(group, test_only, templates.size() + 1), one.at("say").get<std::string>(), kinds,
                           one.value("arguments", json::object()), test_only, one.value("imperative", true));
  }
  return templates;
}

}  // namespace

Grammar::Grammar() {
  for (const std::string_view source : {devices_data(), media_data(), planning_data()}) {
    const json data = json::parse(source);
    for (const json& tool : data.at("tools")) add_intent(tool);
  }
  const json other = json::parse(other_data());
  for (std::size_t i = 0; i < intents_.size(); ++i) by_weight_.insert(by_weight_.end(), intents_[i].weight, i);
  intents_.push_back({"none", 1, templates_of(other.at("none"), json::object(), "none")});
  for (const auto& group : other.at("frames").items()) add_frames(group.key(), group.value());
  for (const json& follow_up : other.at("follow_ups")) add_follow_up(follow_up);
}

void Grammar::add_intent(const json& tool) {
  const std::string name = tool.at("tool");
  intents_.push_back({name, tool.value("weight", std::size_t{1}),
                      templates_of(tool.at("templates"), tool.value("slots", json::object()), name)});
}

void Grammar::add_follow_up(const json& group) {
  FollowUp follow_up;
  follow_up.first = group.at("first");
  follow_up.second = group.at("second");
  follow_up.shared = group.value("share", "");
  follow_up.required = group.value("require", json::object());
  follow_up.templates =
      templates_of(group.at("templates"), group.at("slots"), "follow." + follow_up.first + "." + follow_up.second);
  follow_ups_.push_back(std::move(follow_up));
}

void Grammar::add_frames(const std::string& group, const json& list) {
  std::vector<Frame>& frames = frames_[group];
  for (const json& one : list) {
    const std::string text = one.at("say");
    const bool test_only = one.value("test", false);
    const bool leads = begins_with(text, "{a}") && group != "wrap";
    frames.push_back(
        {numbered(group, test_only, frames.size() + 1), text, test_only, one.value("imperative", true) && !leads});
  }
}

const Frame* Grammar::draw_frame(const std::string& group, Split split, bool imperative, Random& random) const {
  std::vector<const Frame*> fitting;
  for (const Frame& frame : frames_.at(group)) {
    if (frame.test_only == (split == Split::test) && (imperative || !frame.imperative)) fitting.push_back(&frame);
  }
  return fitting.empty() ? nullptr : random.pick(fitting);
}

std::size_t Grammar::draw_intent(Split split, Random& random) const {
  return split == Split::train ? random.pick(by_weight_) : random.below(intents_.size() - 1);
}

Utterance Grammar::draw_one(const Intent& intent, Split split, Random& random) const {
  const ClauseTemplate& chosen = draw_template(intent.templates, split, random);
  const Clause clause = chosen.draw(split, random);
  Utterance utterance{clause.text, json::array(), chosen.id()};
  if (intent.tool != "none") utterance.calls.push_back(call_of(intent, clause));
  if (random.chance(kWrapPercent)) {
    const Frame* frame = draw_frame("wrap", split, chosen.imperative(), random);
    const bool fits = frame != nullptr && !(clause.ends_in_free_text && frame->text.back() != '}');
    if (fits) utterance = {fill(frame->text, {clause.text}), utterance.calls, frame->id + "(" + chosen.id() + ")"};
  }
  return utterance;
}

Utterance Grammar::draw_several(std::size_t clauses, Split split, Random& random) const {
  std::vector<std::string> texts;
  std::set<std::size_t> used;
  json calls = json::array();
  std::string ids;
  bool first_imperative = true;
  while (texts.size() < clauses) {
    const std::size_t index = draw_intent(split, random);
    if (!used.insert(index).second) continue;
    const ClauseTemplate& chosen = draw_template(intents_[index].templates, split, random);
    const Clause clause = chosen.draw(split, random);
    if (texts.empty()) first_imperative = chosen.imperative();
    texts.push_back(clause.text);
    calls.push_back(call_of(intents_[index], clause));
    ids += (ids.empty() ? "" : "+") + chosen.id();
  }
  return framed(texts, std::move(calls), ids, first_imperative, split, random);
}

Utterance Grammar::draw_follow_up(Split split, Random& random) const {
  const FollowUp& follow_up = random.pick(follow_ups_);
  const auto first = std::find_if(intents_.begin(), intents_.end(),
                                  [&](const Intent& intent) { return intent.tool == follow_up.first; });
  for (;;) {
    const ClauseTemplate& leading = draw_template(first->templates, split, random);
    const Clause named = leading.draw(split, random);
    if (!holds(named.arguments, follow_up.required)) continue;
    const ClauseTemplate& following = draw_template(follow_up.templates, split, random);
    Clause it = following.draw(split, random);
    if (!follow_up.shared.empty()) it.arguments[follow_up.shared] = named.arguments.at(follow_up.shared);
    json calls = json::array({call_of(*first, named), {{"name", follow_up.second}, {"arguments", it.arguments}}});
    return framed({named.text, it.text}, std::move(calls), leading.id() + "+" + following.id(), leading.imperative(),
                  split, random);
  }
}

Utterance Grammar::framed(const std::vector<std::string>& texts, json calls, const std::string& ids, bool imperative,
                          Split split, Random& random) const {
  const Frame* frame = draw_frame(texts.size() == 2 ? "pair" : "triple", split, imperative, random);
  Utterance utterance{fill(frame->text, texts), std::move(calls), frame->id + "(" + ids + ")"};
  if (random.chance(kWrapPercent)) {
    const Frame* wrap = draw_frame("wrap", split, imperative, random);
    if (wrap != nullptr && wrap->text.back() == '}' && !begins_with(utterance.text, "first")) {
      utterance.text = fill(wrap->text, {utterance.text});
      utterance.template_id = wrap->id + "(" + utterance.template_id + ")";
    }
  }
  return utterance;
}

Utterance Grammar::draw(Split split, Random& random) const {
  const Mix& mix = split == Split::train ? kTrained : kSpoken;
  const std::size_t share = random.below(100);
  Utterance utterance;
  if (share < mix.none) {
    utterance = draw_one(intents_.back(), split, random);
  } else if (share < mix.none + mix.single) {
    utterance = draw_one(intents_[draw_intent(split, random)], split, random);
  } else if (share < mix.none + mix.single + mix.pair && random.chance(kFollowUpPercent)) {
    utterance = draw_follow_up(split, random);
  } else {
    utterance = draw_several(share < mix.none + mix.single + mix.pair ? 2 : 3, split, random);
  }
  utterance.text = punctuate(std::move(utterance.text), random);
  return utterance;
}

std::vector<Utterance> Grammar::generate(Split split, std::int64_t count, std::uint64_t seed,
                                         const std::function<void()>& poll) const {
  Random random(seed * 3 + static_cast<std::uint64_t>(split));
  std::vector<Utterance> utterances;
  std::set<std::string> seen;
  for (std::int64_t attempts = 0; static_cast<std::int64_t>(utterances.size()) < count; ++attempts) {
    if (attempts > 40 * count + 1000) {
      throw std::invalid_argument("generate: expected at most as many distinct utterances as the grammar has; found " +
                                  std::to_string(utterances.size()) + " of " + std::to_string(count) +
                                  "; ask for fewer");
    }
    poll();
    Utterance utterance = draw(split, random);
    if (!belongs(utterance.text, split) || seen.count(utterance.text) != 0) continue;
    if (!execute(utterance.calls).ok) continue;
    seen.insert(utterance.text);
    utterances.push_back(std::move(utterance));
  }
  return utterances;
}

}  // namespace retort::home
