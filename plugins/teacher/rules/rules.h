// A teacher of hand-written rules for the home assistant: answers what it understands whole, refuses the rest.
// It is good rather than perfect, as a prompted model is; it shares no code with the grammar that makes the requests.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace retort::rules {

struct Answer {
  bool understood = false;
  nlohmann::json calls = nlohmann::json::array();  ///< empty when no tool answers
  std::string refusal;                             ///< why not, when not understood
};

/// Reads the utterance as one clause or several joined ones; the reading with the fewest clauses wins. Thread-safe.
Answer answer(std::string_view utterance);

/// `requests`: JSON array of chat requests; returns the JSON array of responses that retort/abi/teacher.h defines. A
/// request without a user message gets an error item. Throws std::invalid_argument for text that is not a JSON array.
std::string complete(std::string_view requests);

}  // namespace retort::rules
