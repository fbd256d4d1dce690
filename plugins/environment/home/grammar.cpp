// Composes utterances of templates. Single clauses are clause_template.cpp's business, reading grammar_data.cpp's.
#include "grammar.h"

#include <algorithm>
#include <cctype>
#include <set>
#include <stdexcept>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "home.h"
#include "marks.h"

namespace retort::home {
namespace {

using nlohmann::json;

/// Simple speech: shares of 100: no tool, one call, two calls; the rest has three.
struct Mix {
  std::size_t none, single, pair;
};
/// What people say; training utterances ask for several things more often, because these are the hard ones.
constexpr Mix kSpoken{12, 70, 15};
constexpr Mix kTrained{10, 40, 32};
constexpr int kWrapPercent = 35;
constexpr int kPunctuatedPercent = 15;
constexpr int kFollowUpPercent = 10;  ///< of simple speech's pairs
/// Wide speech, of utterances with several requests: clauses that share words, that speak of "it", whose first is
/// taken back, that have a request beside them which no tool answers; three clauses in place of two.
constexpr int kSharedPercent = 36;
constexpr int kWideFollowUpPercent = 12;
constexpr int kCorrectedPercent = 8;
constexpr int kBesidePercent = 10;
constexpr int kTriplePercent = 28;

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

bool asks_simply(const std::string& text) {
  for (const char* start : {"what", "how", "who", "when", "will", "is ", "do you", "are you", "can you", "could you",
                            "would you", "hey can", "hey could", "okay can", "okay could"}) {
    if (text.starts_with(start)) return true;
  }
  return false;
}

/// Most utterances are as a speech recogniser gives them; some begin with a capital or end with a mark, as typed.
std::string punctuate(std::string text, Random& random) {
  if (!random.chance(kPunctuatedPercent)) return text;
  const std::size_t style = random.below(3);
  const char* mark = asks_simply(text) ? "?" : ".";
  if (style != 1) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return style == 0 ? text : text + mark;
}

/// What two spellings of an utterance share that count as the same.
std::uint64_t hash_of(const std::string& text) {
  std::string key;
  for (const char c : text)
    if (c != '.' && c != '?' && c != '!') key += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return fnv1a(key);
}

/// One utterance in ten is validation's, and in wide speech another one test's, so that no two splits share one.
bool belongs(const std::string& text, Split split, Speech speech) {
  const std::uint64_t remainder = hash_of(text) % 10;
  if (speech == Speech::simple) return split == Split::test || (remainder == 0) == (split == Split::validation);
  return split == (remainder == 0 ? Split::validation : remainder == 1 ? Split::test : Split::train);
}

const ClauseTemplate& draw_template(const std::vector<ClauseTemplate>& templates, Split split, Random& random) {
  for (;;) {
    const ClauseTemplate& candidate = random.pick(templates);
    if (candidate.test_only() == (split == Split::test)) return candidate;
  }
}

bool holds(const json& arguments, const json& required) {
  return std::all_of(required.items().begin(), required.items().end(), [&](const auto& item) {
    return arguments.contains(item.key()) && arguments[item.key()] == item.value();
  });
}

bool polite_end(const std::string& frame) {
  return frame.ends_with("please") || frame.ends_with("thanks");
}

bool has_free_text(const json& calls) {
  return std::any_of(calls.begin(), calls.end(), [](const json& call) {
    const auto& arguments = call["arguments"];
    return std::any_of(arguments.items().begin(), arguments.items().end(), [](const auto& argument) {
      static const std::set<std::string> free = {"query", "label", "text", "items", "person", "city"};
      return free.count(argument.key()) != 0;
    });
  });
}

}  // namespace

Grammar::Grammar(GrammarOptions options) : options_(options), data_(read_grammar_data(options.speech)) {
  for (std::size_t i = 0; i < data_.tools.size(); ++i) by_weight_.insert(by_weight_.end(), data_.tools[i].weight, i);
}

const Frame* Grammar::draw_frame(const std::string& group, Split split, bool imperative, Random& random) const {
  std::vector<const Frame*> fitting;
  for (const Frame& frame : data_.frames.at(group)) {
    if (frame.test_only == (split == Split::test) && (imperative || !frame.imperative)) fitting.push_back(&frame);
  }
  return fitting.empty() ? nullptr : random.pick(fitting);
}

const Intent& Grammar::draw_tool(Split split, Random& random) const {
  return data_.tools[split == Split::train ? random.pick(by_weight_) : random.below(data_.tools.size())];
}

const Intent& Grammar::draw_none(bool beside_others, Random& random) const {
  std::vector<const Intent*> fitting;
  for (const Intent& intent : data_.nones)
    if (intent.beside || !beside_others) fitting.insert(fitting.end(), intent.weight, &intent);
  return fitting.size() == 1 ? *fitting.front() : *random.pick(fitting);
}

Grammar::Part Grammar::draw_part(const Intent& intent, Split split, Random& random) const {
  const ClauseTemplate& chosen = draw_template(intent.templates, split, random);
  return {&chosen, intent.tool, chosen.draw(setting(split), random)};
}

Grammar::Draft Grammar::draw_one(const Intent& intent, Split split, Random& random) const {
  Draft draft;
  draft.parts.push_back(draw_part(intent, split, random));
  const Part& part = draft.parts.front();
  draft.text = part.clause.text;
  draft.id = part.source->id();
  if (!random.chance(kWrapPercent)) return draft;
  const Frame* frame = draw_frame("wrap", split, part.source->imperative(), random);
  if (frame == nullptr) return draft;
  const bool goes_on = frame->text.back() != '}';
  if (part.clause.ends_in_free_text && goes_on && !(options_.speech == Speech::wide && polite_end(frame->text)))
    return draft;
  draft.text = fill(frame->text, {draft.text});
  draft.id = frame->id + "(" + draft.id + ")";
  return draft;
}

Grammar::Draft Grammar::draw_several(std::size_t clauses, Split split, Random& random) const {
  std::vector<Part> parts;
  std::set<std::string> used;
  while (parts.size() < clauses) {
    const Intent& tool = draw_tool(split, random);
    if (!used.insert(tool.tool).second) continue;
    parts.push_back(draw_part(tool, split, random));
  }
  if (options_.speech == Speech::wide && random.chance(kBesidePercent))
    parts[random.below(clauses)] = draw_part(draw_none(true, random), split, random);
  return framed(clauses == 2 ? "pair" : "triple", std::move(parts), split, random);
}

Grammar::Draft Grammar::draw_corrected(Split split, Random& random) const {
  const Intent& meant = draw_tool(split, random);
  Part wrong = draw_part(random.chance(50) ? meant : draw_tool(split, random), split, random);
  wrong.taken_back = true;
  return framed("corrected", {std::move(wrong), draw_part(meant, split, random)}, split, random);
}

Grammar::Draft Grammar::draw_follow_up(Split split, Random& random) const {
  const FollowUp& follow_up = random.pick(data_.follow_ups);
  const auto first = std::find_if(data_.tools.begin(), data_.tools.end(),
                                  [&](const Intent& intent) { return intent.tool == follow_up.first; });
  for (;;) {
    Part leading = draw_part(*first, split, random);
    const json& named = leading.clause.values;
    if (!holds(named, follow_up.required)) continue;
    if (!follow_up.shared.empty() && !named.contains(follow_up.shared)) continue;
    const ClauseTemplate& following = draw_template(follow_up.templates, split, random);
    Part second{&following, follow_up.second, following.draw(setting(split), random)};
    if (!follow_up.shared.empty()) second.clause.values[follow_up.shared] = named.at(follow_up.shared);
    return framed("pair", {std::move(leading), std::move(second)}, split, random);
  }
}

Grammar::Draft Grammar::framed(const std::string& group, std::vector<Part> parts, Split split, Random& random) const {
  const bool imperative = parts.front().source->imperative();
  const Frame* frame = draw_frame(group, split, imperative, random);
  std::vector<std::string> texts;
  std::string ids;
  for (const Part& part : parts) {
    texts.push_back(part.clause.text);
    ids += (ids.empty() ? "" : "+") + part.source->id();
  }
  Draft draft{fill(frame->text, texts), frame->id + "(" + ids + ")", std::move(parts)};
  if (random.chance(kWrapPercent)) {
    const Frame* wrap = draw_frame("wrap", split, imperative, random);
    if (wrap != nullptr && wrap->text.back() == '}' && !draft.text.starts_with("first")) {
      draft.text = fill(wrap->text, {draft.text});
      draft.id = wrap->id + "(" + draft.id + ")";
    }
  }
  return draft;
}

Utterance Grammar::draw_simple(Split split, Random& random) const {
  const Mix& mix = split == Split::train ? kTrained : kSpoken;
  const std::size_t share = random.below(100);
  Draft draft;
  if (share < mix.none) {
    draft = draw_one(draw_none(false, random), split, random);
  } else if (share < mix.none + mix.single) {
    draft = draw_one(draw_tool(split, random), split, random);
  } else if (share < mix.none + mix.single + mix.pair && random.chance(kFollowUpPercent)) {
    draft = draw_follow_up(split, random);
  } else {
    draft = draw_several(share < mix.none + mix.single + mix.pair ? 2 : 3, split, random);
  }
  Utterance utterance{punctuate(draft.text, random), json::array(), std::move(draft.id), ""};
  for (const Part& part : draft.parts)
    for (json& call : part.source->calls(part.tool, part.clause.values)) utterance.calls.push_back(std::move(call));
  const bool typed = utterance.text != draft.text;
  utterance.kind = kind_of(draft, utterance.calls, typed);
  return utterance;
}

Utterance Grammar::draw_wide(Split split, Random& random) const {
  Draft draft;
  if (random.happens(options_.none)) {
    draft = draw_one(draw_none(false, random), split, random);
  } else if (!random.happens(options_.several / std::max(1e-9, 1 - options_.none))) {
    draft = draw_one(draw_tool(split, random), split, random);
  } else if (random.chance(kSharedPercent)) {
    draft = draw_one(random.pick(data_.several), split, random);
  } else if (random.chance(kWideFollowUpPercent)) {
    draft = draw_follow_up(split, random);
  } else if (random.chance(kCorrectedPercent)) {
    draft = draw_corrected(split, random);
  } else {
    draft = draw_several(random.chance(kTriplePercent) ? 3 : 2, split, random);
  }
  const Surface surface = with_surface(draft.text, options_.surface, random);
  Utterance utterance{without_marks(surface.text), json::array(), draft.id, ""};
  const std::vector<std::string> spans = copied_spans(surface.text);
  auto span = spans.begin();
  for (Part& part : draft.parts) {
    for (const std::string& place : part.clause.copied) part.clause.values[json::json_pointer(place)] = *span++;
    if (part.taken_back) continue;
    for (json& call : part.source->calls(part.tool, part.clause.values)) utterance.calls.push_back(std::move(call));
  }
  if (span != spans.end()) throw std::logic_error("grammar: more copied values than places: " + utterance.text);
  utterance.kind = kind_of(draft, utterance.calls, surface.noisy);
  return utterance;
}

std::string Grammar::kind_of(const Draft& draft, const json& calls, bool noisy) {
  if (calls.empty()) return "none";
  if (calls.size() > 1 || draft.parts.size() > 1) return "several";
  if (draft.parts.front().source->indirect()) return "indirect";
  if (noisy) return "surface";
  return has_free_text(calls) ? "free text" : "plain";
}

void Grammar::generate(Split split, std::int64_t count, std::uint64_t seed,
                       const std::function<void(Utterance utterance)>& take, const std::function<void()>& poll) const {
  const bool wide = options_.speech == Speech::wide;
  const std::int64_t tries = wide ? 400 : 40;  // test takes one wide utterance in ten
  Random random(seed * 3 + static_cast<std::uint64_t>(split));
  std::unordered_set<std::uint64_t> seen;  // hashes of texts: of a million, two meet once in 40 million runs
  for (std::int64_t attempts = 0; static_cast<std::int64_t>(seen.size()) < count; ++attempts) {
    if (attempts > tries * count + 1000) {
      throw std::invalid_argument("generate: expected at most as many distinct utterances as the grammar has; found " +
                                  std::to_string(seen.size()) + " of " + std::to_string(count) + "; ask for fewer");
    }
    poll();
    Utterance utterance = wide ? draw_wide(split, random) : draw_simple(split, random);
    if (!belongs(utterance.text, split, options_.speech) || seen.count(fnv1a(utterance.text)) != 0) continue;
    if (!execute(utterance.calls).ok) continue;
    seen.insert(fnv1a(utterance.text));
    take(std::move(utterance));
  }
}

std::vector<Utterance> Grammar::generate(Split split, std::int64_t count, std::uint64_t seed) const {
  std::vector<Utterance> utterances;
  generate(split, count, seed, [&](Utterance utterance) { utterances.push_back(std::move(utterance)); });
  return utterances;
}

}  // namespace retort::home
