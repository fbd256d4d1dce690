// Data from tools alone: plan → task → what a person types → tools, with others among them → calls → check.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "../common/teacher_requests.h"
#include "masking.h"
#include "prompts.h"
#include "task/conversation.h"

namespace retort::stages {

struct SynthesisComponents {
  Complete complete;
  /// A fresh world: gives the outcome of each list of calls in turn. Empty: nothing is executed, and what tools give
  /// back is the teacher's.
  std::function<std::function<nlohmann::json(const nlohmann::json& calls)>()> start;
};

struct SynthesisOptions {
  std::vector<task::Tool> tools;
  Samplers samplers;
  Quotas quotas{};
  Prompts prompts;
  std::size_t rows = 1000;
  double masked_share = 0, shuffled_share = 1;
  double temperature = 1;       ///< of tasks and utterances; answers are asked for at 0
  std::int64_t attempts = 3;    ///< draws of a row before it is given up
  std::size_t batch_size = 64;  ///< rows that are asked for at once
  std::int64_t most_steps = 4;  ///< answers of one row
  double given_up_share = 1;    ///< of all rows; ends behind the batch that makes it certain that more are given up
  std::uint64_t seed = 0;
  AnswerJournal* journal = nullptr;  ///< where answers are kept as they come, and known ones taken from; borrowed
};

struct SynthesisReport {
  std::map<std::string, std::int64_t> kept;      ///< by kind
  std::map<std::string, std::int64_t> rejected;  ///< tries by step: "task", "utterance", "answer", "check", …
  std::int64_t given_up = 0;                     ///< rows without a good try
  std::size_t tried = 0;                         ///< rows; fewer than wanted where too many were given up
  std::int64_t masked = 0, shuffled = 0;         ///< rows
  std::string first_reason;                      ///< of a try that was rejected
  TeacherCost cost;
};

/// Hands on rows in the order of their numbers, each with its own tools and, as metadata, "kind", "persona", "topic",
/// "attribute" and "task"; tries that failed go to `reject` with "step: reason". `progress` may throw to stop.
SynthesisReport synthesize(
    const SynthesisOptions& options, const SynthesisComponents& components,
    const std::function<void(std::size_t row, const task::Conversation& conversation)>& take,
    const std::function<void(std::size_t row, const std::string& reason, const std::string& text)>& reject,
    const std::function<void(std::size_t done)>& progress);

/// Why the conversation is not what the plan asks for: calls that no tool allows, other tools or fewer calls than
/// planned, values that are not the drawn ones; nothing where it is.
std::string unlike_plan(const task::Conversation& conversation, const RowPlan& plan,
                        const std::vector<task::Tool>& tools);

}  // namespace retort::stages
