// Better and worse answers to the same question, in the forms that trainers of preferences read.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/chat_formats.h"
#include "data/data_jobs.h"

namespace retort::data {

/// A pair in a format: OpenAI's "input", "preferred_output" and "non_preferred_output"; TRL's "prompt", "chosen" and
/// "rejected"; axolotl's chat_template.default with "messages", "chosen" and "rejected", all texts; LLaMA-Factory's
/// sharegpt with "ranking". `better` ends with the better answer, `worse` is the other. Throws std::invalid_argument
/// where the format has no place for it.
nlohmann::json pair_in_format(const task::Conversation& better, const task::Message& worse,
                              const std::vector<task::Tool>& tools, ChatFormat format);

/// For every labelled row of `from` a pair with each other answer that `worse` has to the same messages; rows without
/// one are left out with that reason. Memory: the answers of `worse`.
JobReport export_pairs(const std::filesystem::path& from, const std::filesystem::path& worse,
                       const std::filesystem::path& to, ChatFormat format, const RowProgress& progress);

}  // namespace retort::data
