// See mock_world.h.
#include "mock_world.h"

#include <stdexcept>
#include <utility>

#include "../../common/placeholders.h"
#include "outcome_cache.h"

namespace retort::mock {

using environments::parsed;
using environments::shown;
using environments::written;

namespace {

constexpr const char* english_prompt =
    "You play the world behind an assistant's tools.\nThe tool: {tool}\nThe state of the world now: {state}\nThe call: "
    "{call}\nSay what the tool gives back. It fails where the state or the arguments make it fail. Answer with one "
    "JSON "
    "object and nothing else: {\"ok\": true or false, \"content\": \"what the tool gives back, or why it failed\", "
    "\"state\": \"the whole state of the world afterwards\"}";

/// The JSON object in a text that may have words or a code fence around it.
Json object_in(const std::string& text) {
  const std::size_t begin = text.find('{'), end = text.rfind('}');
  if (begin == std::string::npos || end == std::string::npos || end < begin) return nullptr;
  const Json json = Json::parse(text.substr(begin, end - begin + 1), nullptr, false);
  return json.is_object() ? json : Json();
}

}  // namespace

class MockSession final : public environments::CallByCallSession {
 public:
  MockSession(const MockWorld& world, std::string state) : world_(world), state_(std::move(state)) {}

  Json state() override { return state_; }

 private:
  Json run(const std::string& name, const Json& arguments) override {
    const Json* tool = world_.tool(name);
    if (tool == nullptr) return refused("there is no tool \"" + name + "\"");
    const Json answer = world_.answer(*tool, state_, {{"name", name}, {"arguments", arguments}});
    if (answer["ok"] == true) state_ = answer["state"];
    return {{"ok", answer["ok"]}, {"content", answer["content"]}};
  }
  std::string state_text() const override { return state_; }

  const MockWorld& world_;
  std::string state_;
};

MockWorld::MockWorld(MockSettings settings, Ask ask) : settings_(std::move(settings)), ask_(std::move(ask)) {
  if (!settings_.tools.is_array() || settings_.tools.empty())
    throw std::invalid_argument("tools: expected an array of tools, found " + shown(written(settings_.tools)));
  for (const Json& one : settings_.tools)
    if (!one.is_object() || !one.contains("function") || !one["function"].is_object() ||
        !one["function"].value("name", Json()).is_string())
      throw std::invalid_argument("tools: expected {\"type\": \"function\", \"function\": {\"name\", …}}, found " +
                                  shown(written(one)));
}

const Json* MockWorld::tool(const std::string& name) const {
  for (const Json& one : settings_.tools)
    if (one["function"]["name"] == name) return &one["function"];
  return nullptr;
}

Json MockWorld::answer(const Json& tool, const std::string& state, const Json& call) const {
  const std::string prompt = prompts::filled(settings_.prompt.empty() ? english_prompt : settings_.prompt,
                                             {{"tool", written(tool)}, {"state", state}, {"call", written(call)}});
  const Json item = ask_(
      {{"messages", Json::array({{{"role", "user"}, {"content", prompt}}})}, {"temperature", settings_.temperature}});
  if (item.contains("error"))
    throw std::runtime_error("the teacher that plays the world: " +
                             (item["error"].is_string() ? item["error"].get<std::string>() : written(item["error"])));
  const Json content = item.value("/choices/0/message/content"_json_pointer, Json());
  Json answer = content.is_string() ? object_in(content) : Json();
  if (!answer.is_object() || !answer.value("ok", Json()).is_boolean())
    throw std::runtime_error(
        "the teacher that plays the world: expected a JSON object with \"ok\", \"content\" and \"state\", found " +
        shown(content.is_string() ? content.get<std::string>() : written(content)));
  for (const char* key : {"content", "state"}) {
    const Json value = answer.value(key, Json(std::string(key) == "state" ? state : ""));
    answer[key] = value.is_string() ? value : Json(written(value));
  }
  return answer;
}

std::unique_ptr<environments::RemoteSession> MockWorld::start(std::string_view text) const {
  const Json begin = parsed(text, "start");
  const Json state = begin.is_object() ? begin.value("state", Json(settings_.state)) : Json();
  if (!state.is_string()) throw std::invalid_argument("start: expected {} or {\"state\": text}, found " + shown(text));
  return std::make_unique<MockSession>(*this, state);
}

}  // namespace retort::mock
