// Rules for timers, alarms, reminders, shopping and weather, and what counts as off topic.
#include <algorithm>

#include "clause_rules.h"

namespace retort::rules {
namespace {

using nlohmann::json;
using Match = std::optional<json>;

Match timer(Phrase phrase) {
  const auto minutes = phrase.cut_duration();
  const bool counted = phrase.begins_with("count down") && phrase.cut("count down");
  const bool timed = phrase.begins_with("time the") && phrase.cut("time the");
  if (!minutes || (!counted && !timed && !phrase.cut("timer"))) return std::nullopt;
  json arguments = {{"minutes", *minutes}};
  const Words label = phrase.rest("set start give me a the for to of i need");
  if (label.size() > 1) return std::nullopt;
  if (!label.empty()) arguments["label"] = label.front();
  return make_call("timer_start", arguments);
}

Match alarm(Phrase phrase) {
  const auto time = phrase.cut_time();
  if (!time) return std::nullopt;
  const bool cancel =
      phrase.cut_any({"cancel", "delete", "remove", "turn off", "switch off", "get rid of", "do not need"});
  const auto day = phrase.cut_day();
  const bool named = phrase.cut("alarm");
  const bool wake = phrase.cut_any({"wake me up", "wake me", "wake up", "be up", "get me up", "get me out of bed"});
  if (!named && !wake) return std::nullopt;
  if (cancel) {
    if (!phrase.only("the my at for i to anymore") || day) return std::nullopt;
    return make_call("alarm_cancel", {{"time", *time}});
  }
  if (!phrase.only("set an the my to at for make i need")) return std::nullopt;
  json arguments = {{"time", *time}};
  if (day) arguments["day"] = *day;
  return make_call("alarm_set", arguments);
}

Match reminder(Phrase phrase) {
  const bool first = phrase.has("need to") && phrase.cut("so remind me");
  const auto time = phrase.cut_time();
  if (!time) return std::nullopt;
  const auto day = phrase.cut_day();
  const bool asked = first || phrase.cut_any({"set a reminder", "add a reminder", "make a reminder", "remind me",
                                              "be reminded", "let me forget", "tell me"});
  if (!asked) return std::nullopt;
  std::optional<std::string> text = phrase.cut_text_after(first ? "need to" : "about");
  if (!text) {
    Phrase attempt = phrase;
    if (phrase.has("want to")) attempt.cut("want to");
    text = attempt.cut_text_after("to");
    if (!text) text = attempt.cut_text_after("for");
    phrase = attempt;
  }
  if (!text || !phrase.only("do not i want to")) return std::nullopt;
  const Phrase words(split_words(*text));
  if (words.has("and") || words.has("then") || words.has(",") || words.has("also")) return std::nullopt;
  json arguments = {{"text", *text}, {"time", *time}};
  if (day) arguments["day"] = *day;
  return make_call("reminder_add", arguments);
}

/// An item is at most three words, none of which belongs to another request.
bool is_item(const Words& words) {
  static const std::vector<std::string> others = {
      "the",  "a",     "an",     "i",      "you",     "turn",  "set",    "switch",  "play",   "tell",
      "send", "lock",  "start",  "stop",   "open",    "close", "light",  "lights",  "blinds", "fan",
      "door", "mode",  "scene",  "timer",  "alarm",   "music", "volume", "channel", "vacuum", "robot",
      "is",   "what",  "how",    "will",   "remind",  "first", "next",   "on",      "off",    "to",
      "skip", "pause", "resume", "mute",   "dim",     "wake",  "put",    "then",    "also",   "message",
      "text", "song",  "track",  "oven",   "weather", "write", "no",     "we",      "up",     "down",
      "and",  "at",    "run",    "unlock", "dock",    "clean", "sound",  "add",     "shut"};
  if (words.empty() || words.size() > 3) return false;
  if (words.back() == "bulbs") return true;
  return std::none_of(words.begin(), words.end(), [](const std::string& word) {
    return std::find(others.begin(), others.end(), word) != others.end();
  });
}

std::optional<json> read_items(const std::string& text) {
  json items = json::array();
  Words item;
  Words words = split_words(text);
  words.emplace_back("and");
  for (const std::string& word : words) {
    if (word != "and" && word != ",") {
      item.push_back(word);
    } else if (!is_item(item)) {
      return std::nullopt;
    } else {
      items.push_back(joined(item));
      item.clear();
    }
  }
  return items;
}

Match shopping(Phrase phrase) {
  phrase.cut("so put it on the list");
  const bool listed = phrase.cut_any({"to the shopping list", "to my shopping list", "to my grocery list",
                                      "to the groceries", "on the shopping list", "on the grocery list", "on my list",
                                      "from the store", "shopping list", "to my list", "to the list"});
  std::optional<std::string> text;
  for (const char* start : {"we need to buy", "i need to buy", "i want to buy", "do not forget to buy", "we are out of",
                            "we have no more", "there is no more", "we need to get", "we still need", "we need"}) {
    if (!text && phrase.begins_with(start)) text = phrase.cut_text_after(start);
  }
  if (!text && phrase.begins_with("there is no") && phrase.cut("left")) text = phrase.cut_text_after("there is no");
  for (const char* verb : {"add", "put", "write", "note", "i want", "i need"}) {
    if (!text && listed) text = phrase.cut_text_after(verb);
  }
  if (!text && listed && phrase.has("add")) {
    phrase.cut("add");
    text = joined(phrase.rest());
    phrase = Phrase({});
  }
  if (!text || !phrase.only("")) return std::nullopt;
  const auto items = read_items(*text);
  if (!items) return std::nullopt;
  return make_call("shopping_add", {{"items", *items}});
}

Match weather(Phrase phrase) {
  if (!phrase.cut_any({"weather", "rain", "cold"})) return std::nullopt;
  json arguments = json::object();
  if (const auto day = phrase.cut_day()) arguments["day"] = *day;
  std::optional<std::string> city = phrase.cut_text_after("in");
  if (!city) city = phrase.cut_text_after("for");
  if (city) {
    const Phrase words(split_words(*city));
    if (words.has("and") || words.has("then")) return std::nullopt;
    arguments["city"] = *city;
  }
  if (!phrase.only("what is the like how tell me give show check will it going to be")) return std::nullopt;
  return make_call("weather_get", arguments);
}

}  // namespace

const std::vector<ClauseRule>& planning_rules() {
  static const std::vector<ClauseRule> rules = {reminder, alarm, timer, weather, shopping};
  return rules;
}

bool is_off_topic(const Phrase& phrase) {
  for (const char* start : {"do you",
                            "have you",
                            "are you",
                            "who",
                            "how are",
                            "how old",
                            "how many",
                            "how far",
                            "how do",
                            "how much",
                            "how long",
                            "what do",
                            "what is your",
                            "what is the capital",
                            "what is the population",
                            "what is the meaning",
                            "tell me a",
                            "tell me something",
                            "give me a recipe",
                            "order",
                            "book",
                            "call",
                            "sing",
                            "translate",
                            "thank you",
                            "good job",
                            "i like",
                            "i am",
                            "my",
                            "read me",
                            "find",
                            "show me pictures",
                            "show me the news",
                            "buy a ticket",
                            "walk the",
                            "wash the",
                            "feed the",
                            "can you speak",
                            "can you ride",
                            "speak",
                            "ride",
                            "when is the next"}) {
    if (phrase.begins_with(start)) return !phrase.has("and") && !phrase.has("then") && !phrase.has(",");
  }
  return false;
}

}  // namespace retort::rules
