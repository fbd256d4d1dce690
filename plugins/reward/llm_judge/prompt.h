// The text that a judge gets: a template with the parts of an item put in.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace retort::llm_judge {

/// Text of a value; bytes that are no UTF-8 become U+FFFD.
std::string dump(const nlohmann::json& value);

/// The rubric that stands in for a template that the config does not give.
const char* default_prompt();

/// Immutable. Placeholders: {tools}, {conversation}, {answer}, {reference}, {execution}; other braces are text.
class Prompt {
 public:
  /// Throws std::invalid_argument for an unknown placeholder, with those that there are, and where {answer} is missing.
  explicit Prompt(std::string text);
  /// `item` and `tools` as retort/abi/reward.h has them. What an item holds is put in as it stands: a placeholder in it
  /// is not replaced.
  std::string fill(const nlohmann::json& item, const nlohmann::json& tools) const;

 private:
  std::string text_;
};

}  // namespace retort::llm_judge
