// Requests of a stage to its teachers: known answers from the stage's journal, the others asked in one batch and kept
// as they come, and what all of them cost.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "answer_journal.h"

namespace retort::stages {

/// Answers `requests` (a JSON array of `count`) of host/algorithm/teacher_call.h, each index once.
using Complete = std::function<void(std::string_view tools, std::string_view requests, std::size_t count,
                                    const std::function<void(std::size_t index, nlohmann::json answer)>& take)>;

/// As "cost" in retort/abi/teacher.h, of all answers.
struct TeacherCost {
  std::int64_t answers = 0, cached = 0, requests = 0, input_tokens = 0, output_tokens = 0;
  double usd = 0;
  void add(const nlohmann::json& answer);
  TeacherCost& operator+=(const TeacherCost& other);
  /// "12 answers (3 kept from earlier), 9 requests, 900 input and 80 output tokens, 0.01 USD"
  std::string text() const;
};

struct TeacherRequest {
  std::size_t place = 0;  ///< in the journal: the same for the same request of every start of the stage
  nlohmann::json request;
};

/// The answers, in the order of `requests`. `journal` may be NULL; errors are not kept. What the teacher throws passes
/// through, and what it had answered is kept.
std::vector<nlohmann::json> ask(const Complete& complete, std::string_view tools,
                                const std::vector<TeacherRequest>& requests, AnswerJournal* journal, TeacherCost& cost);

}  // namespace retort::stages
