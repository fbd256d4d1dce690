// Says whether a call fits a list of tools: the tool exists, and the arguments satisfy its JSON Schema. Linked
// privately by plugins that judge calls; the host's own check is core/task/call.h.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

namespace retort::call_reward {

/// Compiled schemas of one tools list. Immutable; every const function may be called from any thread.
class CallSchema {
 public:
  /// `tools`: the OpenAI tools array. Throws std::invalid_argument: JSON pointer, expected, found.
  explicit CallSchema(const nlohmann::json& tools);
  ~CallSchema();
  CallSchema(CallSchema&&) noexcept;
  CallSchema& operator=(CallSchema&&) noexcept;

  /// Why the call is not valid, or nothing. An argument that the tool's schema does not list is invalid even when the
  /// schema does not forbid it.
  std::optional<std::string> invalid_reason(const std::string& name, const nlohmann::json& arguments) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace retort::call_reward
