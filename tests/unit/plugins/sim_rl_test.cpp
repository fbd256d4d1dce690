// reward.sim_rl: STAR's matching rules (simrl.py of its repository, commit ee32021) and the ROUGE-L of the package
// rouge_score 0.1.2 with NLTK's stemmer, whose numbers stand here.
#include "sim_rl.h"

#include <gtest/gtest.h>

#include <sstream>
#include <stdexcept>

#include "porter.h"

namespace retort::sim_rl {
namespace {

using nlohmann::json;

TEST(PorterStem, GivesWhatNltkGives) {
  std::istringstream pairs(
      "caresses:caress ponies:poni ties:tie dies:die flies:fli feed:feed agreed:agre plastered:plaster bled:bled "
      "motoring:motor sing:sing conflated:conflat troubled:troubl sized:size hopping:hop tanned:tan falling:fall "
      "hissing:hiss fizzed:fizz failing:fail filing:file happy:happi sky:sky enjoy:enjoy spied:spi died:die "
      "relational:relat conditional:condit rational:ration valency:valenc hesitancy:hesit digitizer:digit "
      "conformably:conform radically:radic differently:differ vilely:vile analogously:analog vietnamization:vietnam "
      "predication:predic operator:oper feudalism:feudal decisiveness:decis hopefulness:hope callousness:callous "
      "formality:formal sensitivity:sensit sensibility:sensibl triplicate:triplic formative:form formalize:formal "
      "electricity:electr electrical:electr hopeful:hope goodness:good revival:reviv allowance:allow inference:infer "
      "airliner:airlin gyroscopic:gyroscop adjustable:adjust defensible:defens irritant:irrit replacement:replac "
      "adjustment:adjust dependent:depend adoption:adopt homologous:homolog communism:commun activate:activ "
      "angularity:angular effective:effect bowdlerize:bowdler probate:probat rate:rate cease:ceas "
      "controlling:control rolling:roll skies:sky lying:lie news:news innings:inning proceed:proceed exceed:exceed "
      "geology:geolog theological:theolog carefully:care university:univers organization:organ yyyy:yyyi "
      "kitchen:kitchen seventies:seventi playlist:playlist living:live bedrooms:bedroom brightness:bright dimming:dim");
  std::size_t count = 0;
  for (std::string pair; pairs >> pair; ++count) {
    const std::size_t colon = pair.find(':');
    EXPECT_EQ(porter_stem(pair.substr(0, colon)), pair.substr(colon + 1)) << pair;
  }
  EXPECT_GT(count, 90U);
}

TEST(SimRl, RougeLIsThatOfThePackage) {
  EXPECT_NEAR(rouge_l("turn on the kitchen lights", "turning the light of kitchen on"), .5454545454545454, 1e-15);
  EXPECT_NEAR(rouge_l("two eggs, and flour", "flour and eggs"), .28571428571428575, 1e-15);
  EXPECT_NEAR(rouge_l("relational databases", "a relation database"), .8, 1e-15);
  EXPECT_NEAR(rouge_l("buy Organic Oat-Milk", "organic oat milk buying"), .75, 1e-15);
  EXPECT_EQ(rouge_l("!!", "!!"), 1);
  EXPECT_EQ(rouge_l(" ", "milk"), 0);
  EXPECT_EQ(rouge_l("!!", "??"), 0);
}

json call(const std::string& name, json arguments) {
  return {{"name", name}, {"arguments", std::move(arguments)}};
}

TEST(SimRl, CallsAreMatchedGreedilyByName) {
  const json kitchen = call("light", {{"room", "kitchen"}, {"level", 40}}), hall = call("light", {{"room", "hall"}});
  EXPECT_EQ(calls_similarity({kitchen, hall}, {hall, kitchen}), 1);  // order does not count
  // Equal argument names and level, another room: 1 of 2 arguments.
  EXPECT_NEAR(call_similarity(kitchen, call("light", {{"room", "bath"}, {"level", 40.0}})), .5, 1e-15);
  // An argument too many and one missing: Σ 1 / (2 + 1).
  EXPECT_NEAR(call_similarity(kitchen, call("light", {{"room", "kitchen"}, {"color", "red"}})), 1 / 3., 1e-15);
  EXPECT_EQ(call_similarity(call("stop", json::object()), call("stop", json::object())), 1);
  // A call too many, a call too few: Σ / (calls + unmatched).
  EXPECT_NEAR(calls_similarity({kitchen, kitchen}, {kitchen}), .5, 1e-15);
  EXPECT_NEAR(calls_similarity({kitchen}, {kitchen, call("stop", json::object())}), .5, 1e-15);
  // Greedy: the first call takes the most alike, which leaves the second the other one.
  const json a = call("light", {{"room", "kitchen"}}), b = call("light", {{"room", "kitchen"}, {"level", 1}});
  EXPECT_NEAR(calls_similarity({a, a}, {b, a}), (1 + .5) / 2, 1e-15);
  EXPECT_EQ(calls_similarity(json::array(), json::array()), 1);
  EXPECT_EQ(argument_similarity(true, 1), 1);  // as in Python
  EXPECT_EQ(argument_similarity({1, 2}, {1, 2}), 1);
  EXPECT_EQ(argument_similarity("7", 7), 1);  // equal as text
  EXPECT_EQ(argument_similarity("seven", 7), 0);
}

TEST(SimRl, VerdictsOfItems) {
  const json tools = {{{"type", "function"},
                       {"function",
                        {{"name", "light"},
                         {"parameters",
                          {{"type", "object"},
                           {"properties", {{"room", {{"type", "string"}}}, {"level", {{"type", "integer"}}}}},
                           {"required", {"level"}}}}}}}};
  const auto judged = [&](json response, json reference) {
    return judge({{"response", std::move(response)}, {"reference", std::move(reference)}}, tools);
  };
  const json expected = {{"calls", {call("light", {{"room", "hall"}})}}};
  EXPECT_EQ(judged({{"calls", {call("light", {{"room", "hall"}})}}}, expected).score, 1);  // "level" is not missed
  EXPECT_EQ(judged({{"malformed", "cut"}}, expected).score, -1);
  EXPECT_TRUE(judged({{"malformed", "cut"}}, expected).malformed);
  EXPECT_EQ(judged({{"calls", {call("fly", json::object())}}}, expected).score, -1);
  EXPECT_EQ(judged({{"calls", {call("light", {{"colour", "red"}})}}}, expected).score, -1);
  EXPECT_EQ(judged({{"calls", json::array()}}, expected).score, 0);
  EXPECT_EQ(judged({{"calls", json::array()}}, {{"calls", json::array()}}).score, 1);
  const json text = {{"content", "which room do you mean"}};
  EXPECT_EQ(judged({{"calls", json::array()}, {"content", "which room do you mean"}}, text).score, 1);
  EXPECT_EQ(judged({{"calls", {call("light", {{"room", "hall"}})}}}, text).score, 0);
  EXPECT_THROW(judge({{"response", {{"calls", json::array()}}}}, tools), std::invalid_argument);  // no reference
  EXPECT_THROW(judge(json::object(), tools), std::invalid_argument);
}

}  // namespace
}  // namespace retort::sim_rl
