// Judges the rows that an environment generates one by one, so that the splits of a data set are honestly apart.
#pragma once

#include <cstddef>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "data/seen_texts.h"
#include "task/dataset.h"

namespace retort::stages {

/// What becomes of the environment's own calls.
enum class Labels { removed, kept };

/// The example in row `number` (from 1) of `split` as the environment wrote it. Throws std::runtime_error, naming the
/// environment's fault and the row, when it is not a chat row with gold calls.
task::Example read_generated(const std::string& split, std::size_t number, const nlohmann::json& row);

/// The rows so far, as 64-bit hashes of their utterances (26 bytes a row) and the parts of their templates.
class SplitsApart {
 public:
  /// Row `number` (from 1) of `split`: one split after the other, "test" last. Throws std::runtime_error as
  /// read_generated() when an utterance (less case and closing marks) stands in two splits or twice in one, or when a
  /// part of a test template's id was used in another split.
  void take(const std::string& split, std::size_t number, const task::Example& example);

 private:
  struct Texts {
    data::SeenTexts normalized, exact;
    std::set<std::string> parts;  ///< of template ids
  };
  std::map<std::string, Texts> splits_;
};

/// The example for a teacher to answer.
task::Example without_labels(task::Example example);

/// The parts of a template id, which may be composed: "pair.01(light.02+fan.03)" has pair.01, light.02, fan.03.
std::vector<std::string> template_parts(std::string_view id);

}  // namespace retort::stages
