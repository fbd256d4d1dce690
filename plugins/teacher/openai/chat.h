// Chat requests and answers as JSON: from retort/abi/teacher.h to OpenAI's "chat/completions" and back. No network.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

namespace retort::openai {

/// What a request that says nothing of it gets.
struct ChatDefaults {
  std::string model;          ///< empty: not sent
  std::string system_prompt;  ///< before messages that do not begin with one; empty: none
  double temperature = 0.0;
  double top_p = 1.0;                           ///< 1 is not sent
  double temperature_to = -1, top_p_to = -1;    ///< not negative: drawn between the two, for every request and sample
  std::int64_t n = 1;                           ///< answers
  std::int64_t max_tokens = 1024;               ///< 0: not sent
  std::string token_limit_name = "max_tokens";  ///< the key of max_tokens
  std::int64_t seed = -1;                       ///< negative: not sent
  std::int64_t top_logprobs = 0;                ///< 0: no log-probabilities
  bool json_calls = false;                      ///< calls are asked for as JSON of a schema, see json_calls.h
};

/// JSON text, invalid UTF-8 replaced.
std::string dumped(const nlohmann::json& value);

/// The number of the sample that a request asks for, 0 unless it says. Throws std::invalid_argument.
std::int64_t sample_of(const nlohmann::json& request);

/// The body to send. Values that are drawn follow from the seed, the request and its sample; with a seed, later samples
/// have later seeds. `tools` is the batch's array, for a request without its own; null or empty: none. Throws
/// std::invalid_argument for a request that cannot be sent: what was expected, found.
nlohmann::json to_body(const nlohmann::json& request, const nlohmann::json& tools, const ChatDefaults& defaults);

/// The item that retort/abi/teacher.h describes, of the body of an answer with status 200. An answer of another shape
/// gives {"error": reason}. `json_calls`: as ChatDefaults.
nlohmann::json read_answer(const std::string& body, bool json_calls = false);

/// The server's own words in the body of an answer that failed: its "error" → "message", or the begin of the text.
std::string failure_of(const std::string& body);

}  // namespace retort::openai
