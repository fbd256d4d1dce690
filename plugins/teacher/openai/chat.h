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
  std::int64_t n = 1;                           ///< answers
  std::int64_t max_tokens = 1024;               ///< 0: not sent
  std::string token_limit_name = "max_tokens";  ///< the key of max_tokens
  std::int64_t seed = -1;                       ///< negative: not sent
  std::int64_t top_logprobs = 0;                ///< 0: no log-probabilities
};

/// The body to send. `tools` is the batch's array, for a request without its own; null or empty: none. Throws
/// std::invalid_argument for a request that cannot be sent: what was expected, found.
nlohmann::json to_body(const nlohmann::json& request, const nlohmann::json& tools, const ChatDefaults& defaults);

/// The item that retort/abi/teacher.h describes, of the body of an answer with status 200. An answer of another shape
/// gives {"error": reason}.
nlohmann::json read_answer(const std::string& body);

/// The server's own words in the body of an answer that failed: its "error" → "message", or the begin of the text.
std::string failure_of(const std::string& body);

}  // namespace retort::openai
