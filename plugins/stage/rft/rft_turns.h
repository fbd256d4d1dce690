// Answers of several turns: an environment executes the calls of an answer, the model reads what came of them, and
// answers again. No LibTorch.
#pragma once

#include <functional>
#include <vector>

#include "host/algorithm/environment_call.h"
#include "rft.h"

namespace retort::stages {

/// Answers a conversation `count` times with the given temperature, answer i with the seed + i.
using AnswerConversation = std::function<std::vector<runtime::Answer>(
    const task::Conversation& asked, std::int64_t count, double temperature, std::uint64_t seed)>;

struct TurnOptions {
  std::int64_t count = 1;  ///< samples
  double temperature = 1;
  std::uint64_t seed = 0;
  std::int64_t max_turns = 1;  ///< answers of one sample, at least 1
};

/// Every sample has a world of its own, and goes on until an answer does not call, or is malformed, or the last turn is
/// reached (whose calls are executed too). One whose results the model cannot be asked with any more (the context does
/// not hold them) is malformed and says so. Throws as `answer` does for the first turn, and as the environment.
std::vector<SampledTurns> answer_with_tools(const AnswerConversation& answer, const host::EnvironmentCall& environment,
                                            const task::Example& asked, const TurnOptions& options);

}  // namespace retort::stages
