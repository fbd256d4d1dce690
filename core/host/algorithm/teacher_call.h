// The calls of retort.teacher/1, as stages and `retort plugins check` make them: assembles the batch, checks what
// comes.
#pragma once

#include <retort/abi/teacher.h>

#include <string>
#include <string_view>

#include "host/algorithm/json_items.h"

namespace retort::host {

class TeacherCall {
 public:
  using Take = JsonItems::Take;
  /// `id` names the component in errors. The instance and its table are borrowed.
  TeacherCall(std::string id, retort_instance* instance, const retort_teacher_v1& functions);

  /// `tools`: OpenAI tools as JSON text, or empty; `requests`: JSON text of an array with `count` requests. Hands each
  /// answer on as it comes, any order: an object with "choices" (a message and a finish reason each) or a text "error".
  /// Throws std::runtime_error for an answer of another shape, a missing one and one that comes twice, what the
  /// component says of the batch (see throw_component_failure), and what `take` throws.
  void complete(std::string_view tools, std::string_view requests, std::size_t count, const Take& take) const;

  bool can_score() const { return functions_.score != nullptr; }
  /// Likewise; an item has "logprobs", an array of numbers not above 0 or a text "error".
  void score(std::string_view tools, std::string_view requests, std::size_t count, const Take& take) const;

 private:
  using Function = decltype(retort_teacher_v1::complete);
  void call(Function function, const std::string& who, std::string_view tools, std::string_view requests,
            std::size_t count, const Take& take) const;

  std::string id_;
  retort_instance* instance_;
  const retort_teacher_v1& functions_;
};

}  // namespace retort::host
