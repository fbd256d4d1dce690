// A teacher of hand-written rules for the home assistant: answers what it understands whole, refuses the rest.
// It is good rather than perfect, as a prompted model is; it shares no code with the grammar that makes the requests.
// It was written for environment.home's simple speech, of which it answers 97 %; of wide speech it answers 13 %.
#pragma once

#include <cstddef>
#include <functional>
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

/// What a weaker prototype gets wrong, for the share `forgets` of utterances, which their text alone decides: the last
/// of several calls is left out, or of a single one the last argument that `tools` (OpenAI's array) does not require.
Answer forgetful_answer(std::string_view utterance, double forgets, const nlohmann::json& tools);

/// `requests`: JSON array of chat requests, `tools`: OpenAI's array, or "" where nothing is forgotten. Gives `take` an
/// item each, as retort/abi/teacher.h defines them, with the same choice "n" times, since rules have but one answer; a
/// request without a user message gets an error. Throws std::invalid_argument for text that is not a JSON array.
void complete(std::string_view requests, double forgets, std::string_view tools,
              const std::function<void(std::size_t index, const std::string& item)>& take);

}  // namespace retort::rules
