// Chat requests of teachers (retort/abi/teacher.h) as requests to a model of the host's (retort/abi/host_models.h), and
// its answers back. No model.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace retort::local {

/// What a request that says nothing of it gets.
struct Sampling {
  double temperature = 0.0, top_p = 1.0;
  std::int64_t top_k = 0;  ///< 0: off
  std::int64_t n = 1, max_tokens = 256, seed = 0, top_logprobs = 0;
  bool grammar = false;  ///< answers are calls of the tools, where there are tools
};

/// The model's request. Each later "sample" has the next seed, and so has a request at temperature 0 the same answer.
/// Throws std::invalid_argument: what was expected, found; "tool_choice" other than "auto" and "none", and a
/// "response_format", are refused, since this runtime would pass them over.
nlohmann::json to_model_request(const nlohmann::json& request, const nlohmann::json& tools, const Sampling& sampling);

/// {"messages", "tools"?, "continuation"} for score().
nlohmann::json to_score_request(const nlohmann::json& request, const nlohmann::json& tools);

/// A teacher's item of the model's; nothing is paid for it.
nlohmann::json to_item(const nlohmann::json& answer);

}  // namespace retort::local
