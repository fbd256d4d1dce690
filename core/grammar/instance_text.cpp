// See instance_text.h.
#include "grammar/instance_text.h"

#include <cmath>

#include "grammar/byte_automaton.h"
#include "host/base/json_cursor.h"

namespace retort::grammar {

using schema::OrderedJson;

std::string compact_text(const OrderedJson& json) {
  constexpr double exact = 9007199254740992.0;  // 2^53
  if (json.is_number_float() && std::trunc(json.get<double>()) == json.get<double>() &&
      std::abs(json.get<double>()) <= exact)
    return std::to_string(static_cast<std::int64_t>(json.get<double>()));
  if (!json.is_structured()) return json.dump(-1, ' ', false, OrderedJson::error_handler_t::replace);
  std::string text;
  for (const auto& item : json.items())
    text += (text.empty() ? "" : ",") + (json.is_object() ? OrderedJson(item.key()).dump() + ":" : std::string()) +
            compact_text(item.value());
  return json.is_object() ? "{" + text + "}" : "[" + text + "]";
}

std::string without_white_space(std::string_view text) {
  std::string result;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '\\' && i + 1 < text.size()) {
      result += c;
      result += text[++i];
      continue;
    }
    if (c == '"') quoted = !quoted;
    if (quoted || (c != ' ' && c != '\t' && c != '\n' && c != '\r')) result += c;
  }
  return result;
}

struct InstanceCheck::State {
  ByteAutomaton automaton;

  bool takes(std::string_view text) {
    constexpr std::size_t most_bytes = 256U << 20U;
    if (automaton.bytes() > most_bytes) automaton.forget();
    StateId state = automaton.start();
    for (const char byte : text) {
      state = automaton.step(state, static_cast<std::uint8_t>(byte));
      if (state == no_state) return false;
    }
    return automaton.accepts(state);
  }
};

InstanceCheck::InstanceCheck(std::shared_ptr<const Program> program)
    : state_(std::make_unique<State>(State{ByteAutomaton(std::move(program), 0)})) {}
InstanceCheck::~InstanceCheck() = default;

bool InstanceCheck::accepts(std::string_view text) {
  host::parse_strict_json(text, 512);  // refuses what is no JSON
  return state_->takes(without_white_space(text)) || state_->takes(compact_text(OrderedJson::parse(text)));
}

}  // namespace retort::grammar
