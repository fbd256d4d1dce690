#include "rft_turns.h"

#include <stdexcept>
#include <utility>

#include "train/tool_turns.h"

namespace retort::stages {
namespace {

/// Of the answer behind `turn` answers of the sample with this seed: never one of another sample's first answer.
std::uint64_t seed_of_turn(std::uint64_t seed, std::int64_t turn) {
  return seed ^ (static_cast<std::uint64_t>(turn) * 0x9E3779B97F4A7C15ULL);
}

void go_on(SampledTurns& sampled, const AnswerConversation& answer, const host::EnvironmentCall& environment,
           const task::Example& asked, double temperature, std::uint64_t seed, std::int64_t max_turns) {
  const auto calls = [&]() -> const std::vector<task::Call>* {
    const auto* made = std::get_if<std::vector<task::Call>>(&sampled.parsed);
    return made != nullptr && !made->empty() ? made : nullptr;
  };
  if (calls() == nullptr) return;
  train::ToolTurns world(environment, asked);
  for (std::int64_t turn = 1; calls() != nullptr; ++turn) {
    world.execute(*calls());
    sampled.execution = world.execution();
    if (turn == max_turns) return;
    const std::vector<task::Message>& said = world.conversation().messages;
    sampled.turns.assign(said.begin() + static_cast<std::ptrdiff_t>(asked.messages.size()), said.end());
    try {
      static_cast<runtime::Answer&>(sampled) =
          answer(world.conversation(), 1, temperature, seed_of_turn(seed, turn)).at(0);
    } catch (const std::invalid_argument& error) {
      sampled.parsed =
          task::Malformed{"cannot be asked with the results of turn " + std::to_string(turn) + ": " + error.what()};
    }
  }
}

}  // namespace

std::vector<SampledTurns> answer_with_tools(const AnswerConversation& answer, const host::EnvironmentCall& environment,
                                            const task::Example& asked, const TurnOptions& options) {
  std::vector<SampledTurns> samples;
  for (runtime::Answer& first : answer(asked, options.count, options.temperature, options.seed)) {
    SampledTurns& sampled = samples.emplace_back();
    static_cast<runtime::Answer&>(sampled) = std::move(first);
    go_on(sampled, answer, environment, asked, options.temperature, options.seed + samples.size() - 1,
          options.max_turns);
  }
  return samples;
}

}  // namespace retort::stages
