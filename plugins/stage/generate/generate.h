// Puts the rows that an environment generated together into one dataset whose splits are honestly apart.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "task/dataset.h"

namespace retort::stages {

/// What becomes of the environment's own calls on train rows.
enum class TrainLabels { removed, kept };

struct GeneratedDataset {
  std::vector<task::Example> train;  ///< unlabelled where labelling is the prototype's work
  std::vector<task::Example> validation;
  std::vector<task::Example> test;
};

/// The example in row `number` (from 1) of `split` as the environment wrote it. Throws std::runtime_error, naming the
/// environment's fault and the row, when it is not a chat row with gold calls.
task::Example read_generated(const std::string& split, std::size_t number, const nlohmann::json& row);

/// Throws std::runtime_error likewise when an utterance (less case and closing marks) stands in two splits or twice in
/// one, or when a part of a test template's id was used in another split. Ids may be composed:
/// "pair.01(light.02+fan.03)" has the parts pair.01, light.02, fan.03.
GeneratedDataset assemble(std::vector<task::Example> train, std::vector<task::Example> validation,
                          std::vector<task::Example> test, TrainLabels labels = TrainLabels::removed);

/// The parts of a template id.
std::vector<std::string> template_parts(std::string_view id);

}  // namespace retort::stages
