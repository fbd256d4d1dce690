// Says whether a call fits a list of tools: the tool exists, and the arguments satisfy its JSON Schema. What
// the arguments must be is core/schema's business, as it is for the host.
#pragma once

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "schema/argument_schema.h"

namespace retort::call_reward {

/// Compiled schemas of one tools list. Used by one thread at a time.
class CallSchema {
 public:
  /// `tools`: the OpenAI tools array. Throws std::invalid_argument: JSON pointer, expected, found.
  explicit CallSchema(const nlohmann::json& tools);

  /// Why the call is not valid, or nothing.
  std::optional<std::string> invalid_reason(const std::string& name, const nlohmann::json& arguments) const;

 private:
  std::map<std::string, std::unique_ptr<schema::ArgumentSchema>> functions_;
};

}  // namespace retort::call_reward
