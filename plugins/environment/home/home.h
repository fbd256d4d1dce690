// The simulated home: calls change it, and calls that it cannot carry out fail with a reason.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace retort::home {

/// What became of one call.
struct Result {
  nlohmann::json id;  ///< the call's own, or null
  bool ok = false;
  std::string content;  ///< its effect in words, or why there is none
};

/// What a list of calls did to a home.
struct Outcome {
  bool ok = true;
  std::string error;            ///< which call and why; empty when ok
  std::string state;            ///< hash of the state that the calls left; 16 hexadecimal digits
  std::vector<Result> results;  ///< one a call
};

/// One home; not thread-safe.
class Home {
 public:
  Home();  ///< the fixed initial home
  /// The home that state() describes. Throws std::invalid_argument: JSON pointer, expected, found.
  explicit Home(nlohmann::json state);

  /// Carries the call out and returns its effect in words. Returns nothing and sets `error` when the home refuses, and
  /// then nothing has changed.
  std::optional<std::string> call(const std::string& name, const nlohmann::json& arguments, std::string& error);
  const nlohmann::json& state() const { return state_; }
  std::string state_hash() const;

 private:
  nlohmann::json state_;
};

/// Runs the calls ([{"id"?, "name", "arguments"}]) in order, up to the first that fails. Anything else than a list of
/// calls is a failure with a reason, not an exception.
Outcome execute(Home& home, const nlohmann::json& calls);
/// On a fresh home. Thread-safe.
Outcome execute(const nlohmann::json& calls);

nlohmann::json to_json(const Outcome& outcome);

}  // namespace retort::home
