// Teachers' answers as rows of the prototype take them: what a choice comes to, what votes for it, what is wrong with
// it.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "functions.h"

namespace retort::stages {

/// What one choice of an answer to the call comes to: one of the two.
struct Reading {
  std::optional<Reply> reply;
  std::optional<Rejection> failure;  ///< teacher_error, refused or length
};

/// Of every choice of a teacher's item, as host/algorithm/teacher_call.h has checked it; one failure for an error.
std::vector<Reading> readings_of(const task::Example& example, const nlohmann::json& answer);
/// Equal for equal answers; "" for none.
std::string ballot_of(const Reading& reading);
/// What the call came to, as functions.h names the results.
std::string result_of(const RowState& row);
/// Content of the first choice, or nothing where the teacher gave none or not all of it.
std::optional<std::string> content_of(const nlohmann::json& answer);

}  // namespace retort::stages
