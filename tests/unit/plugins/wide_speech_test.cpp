// The home's grammar in wide speech: every template can be drawn and means calls that the home carries out, values are
// copied as the utterance spells them, kinds are as declared, and no two splits share an utterance.
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "call_schema.h"
#include "generate.h"
#include "grammar.h"
#include "home.h"
#include "macros.h"
#include "marks.h"
#include "open_words.h"
#include "rows.h"
#include "tools.h"
#include "wide_slots.h"

namespace retort::home {
namespace {

using nlohmann::json;

GrammarOptions wide_options() {
  GrammarOptions options;
  options.speech = Speech::wide;
  return options;
}

const Grammar& wide_grammar() {
  static const Grammar instance(wide_options());
  return instance;
}

const std::vector<Utterance>& sample(Split split) {
  static std::map<Split, std::vector<Utterance>> samples;
  std::vector<Utterance>& utterances = samples[split];
  if (utterances.empty()) utterances = wide_grammar().generate(split, split == Split::train ? 12000 : 3000, 1);
  return utterances;
}

std::vector<const Utterance*> all_utterances() {
  std::vector<const Utterance*> all;
  for (const Split split : {Split::train, Split::validation, Split::test})
    for (const Utterance& utterance : sample(split)) all.push_back(&utterance);
  return all;
}

/// Every template, drawn a few times; the home must carry out what it means at least once, as a repeated item may fail.
void expect_drawable(const std::vector<Intent>& intents) {
  Random random(3);
  for (const Intent& intent : intents) {
    for (const ClauseTemplate& one : intent.templates) {
      const DrawSetting setting{one.test_only() ? Split::test : Split::train, Speech::wide, .25};
      bool carried_out = false;
      for (int draws = 0; draws < 8 && !carried_out; ++draws) {
        const Clause clause = one.draw(setting, random);
        ASSERT_EQ(copied_spans(clause.text).size(), clause.copied.size()) << one.id();
        ASSERT_FALSE(without_marks(clause.text).empty()) << one.id();
        const json calls = one.calls(intent.tool, clause.values);
        ASSERT_EQ(calls.empty(), intent.tool == "none") << one.id();
        carried_out = execute(calls).ok;
      }
      EXPECT_TRUE(carried_out) << one.id();
    }
  }
}

TEST(WideSpeech, EveryTemplateCanBeDrawnAndCarriedOut) {
  expect_drawable(wide_grammar().data().tools);
  expect_drawable(wide_grammar().data().nones);
  expect_drawable(wide_grammar().data().several);
}

TEST(WideSpeech, AQuarterOfEveryToolsTemplatesIsTests) {
  ASSERT_EQ(wide_grammar().data().tools.size(), tools().size());
  for (const Intent& intent : wide_grammar().data().tools) {
    std::size_t held_out = 0;
    for (const ClauseTemplate& one : intent.templates) held_out += one.test_only() ? 1 : 0;
    EXPECT_GE(intent.templates.size() - held_out, 35U) << intent.tool;
    EXPECT_GE(held_out * 100, intent.templates.size() * 18) << intent.tool;
    EXPECT_LE(held_out * 100, intent.templates.size() * 34) << intent.tool;
  }
}

TEST(WideSpeech, EveryCallIsValidAndTheHomeCarriesItOut) {
  const call_reward::CallSchema schema(tools());
  for (const Utterance* utterance : all_utterances()) {
    for (const json& call : utterance->calls) {
      const auto reason = schema.invalid_reason(call["name"].get<std::string>(), call["arguments"]);
      ASSERT_FALSE(reason.has_value()) << utterance->text << ": " << *reason;
    }
    const Outcome outcome = execute(utterance->calls);
    ASSERT_TRUE(outcome.ok) << utterance->text << ": " << outcome.error;
  }
}

TEST(WideSpeech, FreeTextIsSpelledAsInTheUtterance) {
  std::size_t values = 0;
  for (const Utterance* utterance : all_utterances()) {
    const auto expect_said = [&](const json& value) {
      ++values;
      EXPECT_NE(utterance->text.find(value.get<std::string>()), std::string::npos) << utterance->text << ": " << value;
    };
    for (const json& call : utterance->calls) {
      for (const char* argument : {"text", "query", "person", "city", "label"})
        if (call["arguments"].contains(argument)) expect_said(call["arguments"][argument]);
      for (const json& item : call["arguments"].value("items", json::array())) expect_said(item);
    }
    for (const char c : utterance->text) ASSERT_FALSE(is_mark(c)) << utterance->text;
  }
  EXPECT_GT(values, 5000U);
}

TEST(WideSpeech, KindsAreAsDeclared) {
  std::map<std::string, std::size_t> kinds;
  for (const Utterance* utterance : all_utterances()) {
    ++kinds[utterance->kind];
    EXPECT_EQ(utterance->kind == "none", utterance->calls.empty()) << utterance->text;
    EXPECT_TRUE(utterance->calls.size() < 2 || utterance->kind == "several") << utterance->text;
    if (utterance->kind == "plain" || utterance->kind == "free text") {
      ASSERT_EQ(utterance->calls.size(), 1U) << utterance->text;
      for (const char c : utterance->text)
        EXPECT_FALSE(c >= 'A' && c <= 'Z' && c != 'C' && c != 'A' && c != 'P' && c != 'M') << utterance->text;
    }
  }
  for (const char* kind : {"plain", "free text", "indirect", "several", "surface", "none"})
    EXPECT_GT(kinds[kind], all_utterances().size() / 40) << kind;
  EXPECT_EQ(kinds.size(), 6U);
}

TEST(WideSpeech, SharesAreAsAsked) {
  GrammarOptions options = wide_options();
  options.none = .5;
  options.several = .3;
  options.surface = {0, 0, 0, 0, 0, 0, 0};
  std::map<std::string, double> share;
  for (const Utterance& utterance : Grammar(options).generate(Split::train, 3000, 2))
    share[utterance.kind] += 1 / 3000.;
  // A short utterance is drawn again when it was there before, so those with many words gain a little.
  EXPECT_NEAR(share["none"], .5, .07);
  EXPECT_NEAR(share["several"], .3, .07);
  EXPECT_EQ(share["surface"], 0);
}

TEST(WideSpeech, TheSurfaceCanBeLeftOut) {
  GrammarOptions options = wide_options();
  options.surface = {0, 0, 0, 0, 0, 0, 0};
  for (const Utterance& utterance : Grammar(options).generate(Split::train, 1500, 4)) {
    EXPECT_NE(utterance.kind, "surface");
    EXPECT_EQ(utterance.text.find("what's"), std::string::npos) << utterance.text;
  }
  options.surface = {0, 0, 0, 0, 0, 1, 0};
  std::size_t capitals = 0;
  for (const Utterance& utterance : Grammar(options).generate(Split::train, 1500, 4))
    for (const char c : utterance.text) {
      if (c < 'A' || c > 'Z') continue;
      ++capitals;
      break;
    }
  EXPECT_GT(capitals, 1200U);
}

TEST(WideSpeech, SplitsShareNeitherUtterancesNorTestTemplates) {
  stages::SplitsApart apart;
  std::size_t taken = 0;
  for (const char* name : {"train", "validation", "test"})
    for (const Utterance& utterance : sample(split_named(name))) {
      ++taken;
      apart.take(name, taken, stages::read_generated(name, taken, to_chat_row(utterance)));  // throws when they do
    }
  EXPECT_EQ(taken, sample(Split::train).size() + sample(Split::validation).size() + sample(Split::test).size());
}

TEST(WideSpeech, GivesTheSameUtterancesForTheSameSeed) {
  const auto first = wide_grammar().generate(Split::train, 300, 7);
  const auto again = Grammar(wide_options()).generate(Split::train, 300, 7);
  for (std::size_t i = 0; i < first.size(); ++i) EXPECT_EQ(to_chat_row(first[i]), to_chat_row(again[i]));
}

TEST(WideSpeech, ValuesOfTestAreKeptFromTraining) {
  const DrawSetting train{Split::train, Speech::wide, 0};
  const DrawSetting test{Split::test, Speech::wide, 0};
  Random random(5);
  std::size_t kept = 0;
  for (int i = 0; i < 2000; ++i) {
    EXPECT_FALSE(reserved_for_test(draw_word("cities", train, random)));
    EXPECT_FALSE(reserved_for_test(draw_phrase("errand", train, random)));
    kept += reserved_for_test(draw_word("cities", test, random)) ? 1 : 0;
  }
  EXPECT_GT(kept, 900U);
  EXPECT_LT(kept, 1400U);
}

TEST(WideSpeech, MadeUpWordsHardlyRepeat) {
  Random random(9);
  std::set<std::string> words;
  for (int i = 0; i < 2000; ++i) words.insert(made_up_word(random));
  EXPECT_GT(words.size(), 1800U);
}

TEST(WideSpeech, UnknownNamesAreRefused) {
  EXPECT_THROW(with_macros("turn on <nothing>"), std::invalid_argument);
  EXPECT_THROW(with_macros("turn on <nothing"), std::invalid_argument);
  EXPECT_THROW(word_list("planets"), std::out_of_range);
  Random random(1);
  EXPECT_FALSE(draw_wide_slot("planet", DrawSetting(), random).has_value());
}

TEST(Surface, ChangesWordsAndKeepsMarksAroundValues) {
  Random random(2);
  SurfaceOptions options{0, 1, 1, 0, 0, 1, 1};
  for (int i = 0; i < 200; ++i) {
    const std::string text = "tell " + marked(kName, "anna") + " that " + marked(kCopied, "it is late and i am tired");
    const Surface surface = with_surface(text, options, random);
    EXPECT_EQ(copied_spans(surface.text).size(), 2U) << surface.text;
    EXPECT_TRUE(surface.noisy);
    EXPECT_EQ(surface.text.find('\''), std::string::npos) << surface.text;
  }
  options = {0, 0, 0, 0, 0, 0, 0};
  EXPECT_EQ(with_surface("do not stop", options, random).text, "do not stop");
  EXPECT_FALSE(with_surface("do not stop", options, random).noisy);
}

}  // namespace
}  // namespace retort::home
