// Values as text: Python's str() and repr(), and json.dumps(). And values from JSON data.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "template/session.h"
#include "template/value.h"

namespace retort::jinja {

/// Python's repr(float): the shortest digits that read back as the same number, 1e+16 and 1e-05 with an exponent.
std::string float_text(double value);

/// str(value), or JavaScript's spelling where the session asks for it. Throws std::invalid_argument for what no prompt
/// can want: functions, generators, namespaces, loops (Python prints their address).
std::string text_of(Session& session, const Value& value);

struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  bool indented = false;
  std::string indent;  ///< of one level, where `indented`
  std::string item_separator = ", ";
  std::string key_separator = ": ";
};
/// json.dumps(value, …). Throws std::invalid_argument for what JSON cannot hold.
std::string json_text(Session& session, const Value& value, const JsonStyle& style);

/// Throws std::invalid_argument, naming the place as a JSON pointer, for nesting that is too deep or integers beyond 64
/// bits.
Value value_from_json(Session& session, const nlohmann::ordered_json& json, const std::string& pointer = "");

}  // namespace retort::jinja
