// What the teacher is asked, in whatever language the user writes.
#pragma once

#include <map>
#include <string>

#include "draws.h"

namespace retort::stages {

/// Texts with {persona}, {topic}, {attribute}, {tools}, {values}, {missing}, {task}; {call} where noted.
struct Prompts {
  std::map<RowKind, std::string> task;  ///< what the person wants
  std::string utterance;                ///< what the person types, of {task}
  std::string answer;                   ///< system text of the request that is answered with calls; may be empty
  std::string result;                   ///< what a tool gives back, of {call}; used where no environment executes
};

/// In English.
Prompts default_prompts();

/// The values of a plan: {tools} as a list of names, descriptions and parameters, {values} as JSON or "any".
std::map<std::string, std::string> placeholders(const RowPlan& plan, const std::vector<task::Tool>& tools);

}  // namespace retort::stages
