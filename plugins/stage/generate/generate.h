// Puts the rows that an environment generated together into one dataset whose splits are honestly apart.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "task/dataset.h"

namespace retort::stages {

struct GeneratedDataset {
  std::vector<task::Example> train;  ///< unlabelled: labelling is the prototype's work
  std::vector<task::Example> validation;
  std::vector<task::Example> test;
};

/// Each argument is what the environment wrote for the split: chat rows, one a line, with gold calls. Throws
/// std::runtime_error, naming the environment's fault and the row, when a row is not a labelled chat row, when an
/// utterance (less case and closing marks) stands in two splits or twice in one, or when a part of a test template's id
/// was used in another split. Ids may be composed: "pair.01(light.02+fan.03)" has the parts pair.01, light.02, fan.03.
GeneratedDataset assemble(std::string_view train_rows, std::string_view validation_rows, std::string_view test_rows);

/// The parts of a template id.
std::vector<std::string> template_parts(std::string_view id);

}  // namespace retort::stages
