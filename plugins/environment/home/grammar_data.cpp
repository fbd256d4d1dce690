// Reads the files of data/ in their two layouts: lists of templates, and groups of wordings that share what they mean.
#include "grammar_data.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "data.h"
#include "macros.h"

namespace retort::home {
namespace {

using nlohmann::json;
using Kinds = std::map<std::string, std::string>;

std::string numbered(const std::string& group, bool test_only, std::size_t index) {
  return group + (test_only ? ".test" : ".") + (index < 10 ? "0" : "") + std::to_string(index);
}

void add_templates(const json& list, const json& slots, const std::string& group,
                   std::vector<ClauseTemplate>& templates) {
  for (const json& one : list) {
    TemplateSource source;
    source.test_only = one.value("test", false);
    source.id = numbered(group, source.test_only, templates.size() + 1);
    source.say = one.at("say");
    source.kinds = slots.get<Kinds>();
    source.arguments = one.value("arguments", json::object());
    source.imperative = one.value("imperative", true);
    templates.emplace_back(std::move(source));
  }
}

/// {"say": [text…], "test"?: [text…], "arguments"?, "calls"?, "imperative"?, "indirect"?}
void add_group(const json& described, const json& slots, const std::string& group,
               std::vector<ClauseTemplate>& templates) {
  for (const bool test_only : {false, true}) {
    for (const std::string wording : described.value(test_only ? "test" : "say", json::array())) {
      const bool fragment = wording.starts_with('~');
      TemplateSource source;
      source.test_only = test_only;
      source.id = numbered(group, test_only, templates.size() + 1);
      source.say = with_macros(wording.substr(fragment ? 1 : 0));
      source.kinds = slots.get<Kinds>();
      source.arguments = described.value("arguments", json::object());
      source.calls = described.value("calls", json());
      source.indirect = described.value("indirect", false);
      source.imperative = described.value("imperative", true) && !source.indirect && !fragment;
      templates.emplace_back(std::move(source));
    }
  }
}

Intent& intent_of(std::vector<Intent>& intents, const std::string& name, const json& described) {
  const auto found =
      std::find_if(intents.begin(), intents.end(), [&](const Intent& intent) { return intent.tool == name; });
  Intent& intent = found != intents.end() ? *found : intents.emplace_back(Intent{name, 1, false, {}});
  intent.weight = described.value("weight", intent.weight);
  return intent;
}

class Reader {
 public:
  GrammarData data;

  void read_simple() {
    for (const std::string_view source : {devices_data(), media_data(), planning_data()}) {
      const json parsed = json::parse(source);
      for (const json& tool : parsed.at("tools")) {
        const std::string name = tool.at("tool");
        Intent& intent = intent_of(data.tools, name, tool);
        add_templates(tool.at("templates"), tool.value("slots", json::object()), name, intent.templates);
      }
    }
    const json other = json::parse(other_data());
    add_templates(other.at("none"), json::object(), "none", intent_of(data.nones, "none", json::object()).templates);
    read_frames(other.at("frames"));
    for (const json& follow_up : other.at("follow_ups"))
      add_templates(follow_up.at("templates"), follow_up.at("slots"), name_of(follow_up),
                    add_follow_up(follow_up).templates);
  }

  void read_wide() {
    for (const std::string_view source : {wide_lights_data(), wide_climate_data(), wide_house_data(), wide_media_data(),
                                          wide_planning_data(), wide_people_data()}) {
      const json parsed = json::parse(source);
      for (const json& tool : parsed.at("tools")) {
        const std::string name = tool.at("tool");
        Intent& intent = intent_of(data.tools, name, tool);
        for (const json& group : tool.at("groups"))
          add_group(group, tool.value("slots", json::object()), name, intent.templates);
      }
    }
    const json nones = json::parse(wide_none_data());
    read_groups(nones.at("none"), "none", "none", data.nones);
    read_groups(json::parse(wide_several_data()).at("several"), "several", "", data.several);
    read_frames(json::parse(wide_frames_data()).at("frames"));
    const json follow_ups = json::parse(wide_follow_ups_data());
    for (const json& follow_up : follow_ups.at("follow_ups"))
      add_group(follow_up, follow_up.at("slots"), name_of(follow_up), add_follow_up(follow_up).templates);
  }

 private:
  static std::string name_of(const json& follow_up) {
    return "follow." + follow_up.at("first").get<std::string>() + "." + follow_up.at("second").get<std::string>();
  }

  void read_groups(const json& groups, const std::string& kind, const std::string& tool, std::vector<Intent>& intents) {
    for (const json& group : groups) {
      Intent intent{tool, group.value("weight", std::size_t{1}), group.value("beside", false), {}};
      const std::string id = kind + "." + group.at("name").get<std::string>();
      for (const json& part : group.at("groups"))
        add_group(part, group.value("slots", json::object()), id, intent.templates);
      intents.push_back(std::move(intent));
    }
  }

  void read_frames(const json& groups) {
    for (const auto& group : groups.items()) {
      std::vector<Frame>& frames = data.frames[group.key()];
      for (const json& one : group.value()) {
        const std::string text = one.at("say");
        const bool test_only = one.value("test", false);
        const bool leads = text.starts_with("{a}") && group.key() != "wrap";
        frames.push_back({numbered(group.key(), test_only, frames.size() + 1), text, test_only,
                          one.value("imperative", true) && !leads});
      }
    }
  }

  /// The follow-up of the same tools and conditions, or a new one.
  FollowUp& add_follow_up(const json& group) {
    FollowUp follow_up;
    follow_up.first = group.at("first");
    follow_up.second = group.at("second");
    follow_up.shared = group.value("share", "");
    follow_up.required = group.value("require", json::object());
    const auto found = std::find_if(data.follow_ups.begin(), data.follow_ups.end(), [&](const FollowUp& one) {
      return one.first == follow_up.first && one.second == follow_up.second && one.shared == follow_up.shared &&
             one.required == follow_up.required;
    });
    if (found != data.follow_ups.end()) return *found;
    return data.follow_ups.emplace_back(std::move(follow_up));
  }
};

}  // namespace

GrammarData read_grammar_data(Speech speech) {
  Reader reader;
  reader.read_simple();
  if (speech == Speech::wide) reader.read_wide();
  return std::move(reader.data);
}

}  // namespace retort::home
