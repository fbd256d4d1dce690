// Log-probabilities of tokens that are given, from "completions" of servers of OpenAI's kind. No network.
#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace retort::openai {

/// How servers are asked for them.
enum class ScoreForm : std::uint8_t {
  prompt_logprobs,  ///< vLLM: at each token of the prompt, {id: {"logprob", "decoded_token"}} of the k likeliest and it
  echo              ///< OpenAI's own: "echo" with "logprobs", the prompt's tokens before the answer's, as texts
};
/// "\"prompt_logprobs\"", "\"echo\" and \"logprobs\"".
std::string name_of(ScoreForm form);

struct ScoreRequest {
  std::vector<std::int64_t> prompt, continuation;
  std::int64_t top_logprobs = 0;
  std::size_t length() const { return prompt.size() + continuation.size(); }
};

/// Of {"prompt_tokens", "continuation_tokens", "top_logprobs"?}. Throws std::invalid_argument: expected, found.
ScoreRequest score_request(const nlohmann::json& request);

/// The body for "completions": the tokens' ids, and one token to be answered, since servers refuse none.
nlohmann::json to_score_body(const ScoreRequest& request, const std::string& model, ScoreForm form);

/// The item that retort/abi/teacher.h describes of score(), with "tokens", of the body of an answer with status 200;
/// {"error": reason} where it does not hold the log-probabilities of every token of the continuation.
nlohmann::json read_score(const std::string& body, const ScoreRequest& request, ScoreForm form);

}  // namespace retort::openai
