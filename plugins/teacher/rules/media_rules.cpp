// Rules for music, volume, television, vacuum and messages.
#include "clause_rules.h"

namespace retort::rules {
namespace {

using nlohmann::json;
using Match = std::optional<json>;

/// Text of the user's own may not run on into the next request.
bool holds_connector(const std::string& text) {
  const Phrase phrase(split_words(text));
  return phrase.has("and") || phrase.has("then") || phrase.has("also") || phrase.has(",") || phrase.has("after that");
}

Match music(Phrase phrase) {
  for (const char* device : {"channel", "timer", "alarm", "list", "light", "lights", "blinds", "fan", "oven",
                             "reminder", "lock", "volume", "tv", "television", "news"}) {
    if (phrase.has(device)) return std::nullopt;
  }
  std::optional<std::string> room;
  for (const char* place : {"on the speaker in the", "in the", "on the"}) {
    Phrase attempt = phrase;
    auto where = attempt.cut_text_after(place);
    if (!where) continue;
    Phrase name(split_words(*where));
    room = name.cut_room();
    if (!room || !name.only("speaker")) return std::nullopt;
    phrase = attempt;
    break;
  }
  std::optional<std::string> query;
  for (const char* verb : {"start playing", "let me hear", "listen to", "want to hear", "put on", "play"}) {
    if (!query) query = phrase.cut_text_after(verb);
  }
  if (!query || !phrase.only("i want to") || holds_connector(*query)) return std::nullopt;
  if (query->starts_with("some ")) query = query->substr(5);
  if (query->starts_with("the ") &&
      (Phrase(split_words(*query)).has("song") || Phrase(split_words(*query)).has("track") ||
       Phrase(split_words(*query)).has("music"))) {
    return std::nullopt;
  }
  if (Phrase(split_words(*query)).cut_appliance()) return std::nullopt;
  json arguments = {{"query", *query}};
  if (room) arguments["room"] = *room;
  return make_call("music_play", arguments);
}

Match music_control(Phrase phrase) {
  const bool resumes = phrase.begins_with("continue playing") || phrase.begins_with("keep on playing");
  if (!phrase.cut_any({"music", "song", "track"}) && !resumes) return std::nullopt;
  const char* action = nullptr;
  if (phrase.cut("pause"))
    action = "pause";
  else if (phrase.cut("next") || phrase.cut("skip"))
    action = "next";
  else if (phrase.cut("previous"))
    action = "previous";
  else if (phrase.cut_any({"resume", "continue playing", "continue", "keep playing", "keep on playing"}))
    action = "resume";
  else if (phrase.cut_any({"stop playing", "stop", "off"}))
    action = "stop";
  if (action == nullptr || !phrase.only("the this play go back to turn shut switch i want hear skip"))
    return std::nullopt;
  return make_call("music_control", {{"action", action}});
}

Match volume(Phrase phrase) {
  json arguments = json::object();
  if (phrase.cut_any({"tv", "television"}))
    arguments["device"] = "television";
  else if (phrase.cut("music"))
    arguments["device"] = "music";
  const bool named = phrase.cut_any({"volume", "sound"}) || !arguments.empty();
  if (!named) return std::nullopt;
  if (phrase.cut("mute")) {
    if (!phrase.only("the")) return std::nullopt;
    arguments["level"] = 0;
    return make_call("volume_set", arguments);
  }
  const auto level = phrase.cut_number();
  if (!level || !phrase.only("set turn up down to at the of change put bring i want")) return std::nullopt;
  arguments["level"] = *level;
  return make_call("volume_set", arguments);
}

Match channel(Phrase phrase) {
  if (!phrase.cut("channel")) return std::nullopt;
  const auto number = phrase.cut_number();
  const auto room = phrase.cut_room();
  if (!number || !phrase.only("switch to the tv television in on put change go turn show me set i want watch see")) {
    return std::nullopt;
  }
  json arguments = {{"channel", *number}};
  if (room) arguments["room"] = *room;
  return make_call("tv_channel", arguments);
}

Match vacuum(Phrase phrase) {
  const bool named = phrase.cut_any({"robot vacuum", "vacuuming", "vacuumed", "vacuum", "robot"});
  if (!named) return std::nullopt;
  json rooms = json::array();
  while (const auto room = phrase.cut_room()) rooms.push_back(*room);
  if (!rooms.empty()) {
    if (!phrase.only("clean with the start in send to run have let use i want should be vacuum robot and ,")) {
      return std::nullopt;
    }
    return make_call("vacuum_start", {{"rooms", rooms}});
  }
  const bool dock =
      phrase.cut_any({"home", "dock", "base", "stop"}) || (phrase.cut("do not need") && phrase.cut("anymore"));
  if (!dock || !phrase.only("send the back to its tell go let bring can i now")) return std::nullopt;
  return make_call("vacuum_dock", json::object());
}

/// The person is the word after the verb, or after "to".
Match message(Phrase phrase) {  // NOLINT(performance-unnecessary-value-param): all rules have one signature
  Words words = phrase.words();
  const auto starts = [&](std::string_view sequence) { return Phrase(words).begins_with(sequence); };
  const bool wished =
      words.size() > 4 && (starts("i want") || starts("i need")) && words[3] == "to" && words[4] == "know";
  if (wished) {  // "i want anna to know …" asks for the same as "let anna know …"
    words.erase(words.begin() + 3);
    words.erase(words.begin());
    words.front() = "let";
  }
  if (starts("i want to") || starts("i need")) words.erase(words.begin(), words.begin() + (starts("i need") ? 2 : 3));
  std::size_t person = 1;
  if (starts("send a message to") || starts("write a message to") || starts("send a text to")) {
    person = 4;
  } else if (starts("write to")) {
    person = 2;
  } else if (starts("make sure")) {
    person = 2;
  } else if (!starts("tell") && !starts("message") && !starts("text") && !starts("let") && !starts("send") &&
             !starts("write")) {
    return std::nullopt;
  }
  if (words.size() < person + 2) return std::nullopt;
  const std::string name = words[person];
  for (const char* other : {"me", "the", "a", "my", "its"}) {
    if (name == other) return std::nullopt;
  }
  const bool let = words[0] == "let";
  const bool sure = words[0] == "make";
  const bool send = words[0] == "send" && person == 1;
  Words rest(words.begin() + static_cast<std::ptrdiff_t>(person) + 1, words.end());
  const auto skip = [&](std::string_view sequence) {
    if (!Phrase(rest).begins_with(sequence)) return false;
    rest.erase(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(split_words(sequence).size()));
    return true;
  };
  if (let && !skip("know")) return std::nullopt;
  if (sure && !skip("knows")) return std::nullopt;
  if (send && !skip("a message") && !skip("a text") && !skip("the message")) return std::nullopt;
  if (!skip("that")) skip("saying");
  const std::string text = joined(rest);
  if (text.empty() || holds_connector(text)) return std::nullopt;
  return make_call("message_send", {{"person", name}, {"text", text}});
}

}  // namespace

const std::vector<ClauseRule>& media_rules() {
  static const std::vector<ClauseRule> rules = {channel, volume, vacuum, music_control, music, message};
  return rules;
}

}  // namespace retort::rules
