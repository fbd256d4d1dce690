// A world that nobody has built: a teacher says what tools give back and what has changed, call by call, from a state
// in words. What it once said of a state and a call stands.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "remote_session.h"

namespace retort::mock {

using environments::Json;

/// The teacher's answer to one chat request (JSON), its item as retort/abi/teacher.h has it. Any thread.
using Ask = std::function<Json(const Json& request)>;

struct MockSettings {
  Json tools;          ///< OpenAI's tools array
  std::string state;   ///< of every new session, in words or JSON
  std::string prompt;  ///< with {tool}, {state} and {call}; empty: one in English
  double temperature = 0;
};

/// Sessions live no longer than it. Any thread.
class MockWorld {
 public:
  /// Throws std::invalid_argument where the tools are no array of tools with names.
  MockWorld(MockSettings settings, Ask ask);
  std::string tools() const { return environments::written(settings_.tools); }
  /// `start`: {}, {"seed": …}, which changes nothing, or {"state": text}.
  std::unique_ptr<environments::RemoteSession> start(std::string_view start) const;

 private:
  friend class MockSession;
  const Json* tool(const std::string& name) const;
  /// {"ok", "content", "state"}. Throws std::runtime_error where the teacher gives nothing of the kind.
  Json answer(const Json& tool, const std::string& state, const Json& call) const;
  MockSettings settings_;
  Ask ask_;
};

}  // namespace retort::mock
