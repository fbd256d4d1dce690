// The calls of retort.environment/1, as stages and `retort plugins check` make them.
#pragma once

#include <retort/abi/environment.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "host/algorithm/json_items.h"

namespace retort::host {

class EnvironmentCall {
 public:
  using Take = JsonItems::Take;
  /// `id` names the component in errors. The instance and its table are borrowed.
  EnvironmentCall(std::string id, retort_instance* instance, const retort_environment_v1& functions);

  /// The OpenAI tools array. Throws std::runtime_error where it is none.
  Json tools() const;
  bool can_generate() const { return functions_->generate != nullptr; }
  /// Hands on at most `count` chat rows, from 0 without a gap; returns their number. Throws std::runtime_error for an
  /// item that is not an object with "messages".
  std::size_t generate(std::string_view split, std::int64_t count, std::uint64_t seed, const Take& take) const;
  /// What `calls` (a JSON array) do to the world that `start` describes; "{}" is the initial one.
  Json execute_once(const Json& calls, std::string_view start = "{}") const;

 private:
  friend class EnvironmentSession;
  std::string id_;
  retort_instance* instance_;
  const retort_environment_v1* functions_;
};

/// One world with its state; ends with this object. Used by one thread at a time; sessions do not know each other.
class EnvironmentSession {
 public:
  explicit EnvironmentSession(const EnvironmentCall& environment, std::string_view start = "{}");
  ~EnvironmentSession();
  EnvironmentSession(const EnvironmentSession&) = delete;
  EnvironmentSession& operator=(const EnvironmentSession&) = delete;

  /// `calls`: a JSON array of {"id"?, "name", "arguments"}. Returns {"ok", "error", "results": one a call, "state"}.
  /// Throws std::runtime_error for another shape, and what the component says.
  Json execute(const Json& calls) const;
  /// What the component answers to `calls`, unread: for checks of the contract.
  std::string execute_text(std::string_view calls) const;
  bool can_save() const;
  /// What EnvironmentSession's `start` takes as {"state": …}. Throws std::invalid_argument where can_save() is false.
  std::string state() const;

 private:
  const EnvironmentCall& environment_;
  retort_session* session_ = nullptr;
};

}  // namespace retort::host
