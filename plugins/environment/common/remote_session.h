// A session of a world elsewhere, and what is done around one: results that are known are not asked for again, and a
// world that fails is a result that says so.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "json_text.h"
#include "outcome_cache.h"

namespace retort::environments {

/// JSON as retort/abi/environment.h has it; used by one thread at a time, ended with the object.
class RemoteSession {
 public:
  RemoteSession() = default;
  RemoteSession(const RemoteSession&) = delete;
  RemoteSession& operator=(const RemoteSession&) = delete;
  virtual ~RemoteSession() = default;
  /// Throws std::runtime_error where the world fails: afterwards the session is lost.
  virtual Json execute(const Json& calls) = 0;
  virtual Json state() = 0;
};

/// A session that carries out call by call: what stands behind a call that failed is not run.
class CallByCallSession : public RemoteSession {
 public:
  Json execute(const Json& calls) final;

 protected:
  /// {"ok", "content"} of one entry of a list of calls, whatever it is.
  Json carry_out(const Json& call);
  static Json refused(const std::string& why) { return {{"ok", false}, {"content", why}}; }
  virtual Json run(const std::string& name, const Json& arguments) = 0;
  /// Equal texts for equal states.
  virtual std::string state_text() const = 0;
};

/// How often in a row the sessions of a world have failed. Any thread.
class Failures {
 public:
  /// Above `most` a failure is an error, since a world that never answers would reject every row. 0: the first is.
  explicit Failures(std::int64_t most) : most_(most) {}
  void none() { in_a_row_ = 0; }
  /// Throws std::runtime_error when there were too many.
  void count(const std::string& why);

 private:
  std::int64_t most_;
  std::atomic<std::int64_t> in_a_row_{0};
};

/// What the sessions of one environment share. Outlives them.
struct SessionSurroundings {
  std::string identity;  ///< of the world, in the keys of the cache
  OutcomeCache cache;
  Failures failures;
};

/// A session that asks the world only for what the cache does not know: then it is started, and what was taken from the
/// cache before is executed first, since the world must be where the session is. Sound for worlds that do the same on
/// the same calls, as the interface asks of them.
class GuardedSession {
 public:
  using Start = std::function<std::unique_ptr<RemoteSession>()>;
  GuardedSession(SessionSurroundings& surroundings, std::string_view start_text, Start start);
  /// A world that fails gives {"ok": false} with its failure as the content of every call, until Failures has enough.
  /// Throws std::invalid_argument for text that is no JSON array, and what the world calls the caller's fault.
  std::string execute(std::string_view calls);
  std::string state();

 private:
  RemoteSession& live();
  void lose(const std::string& why);
  Json failed(const Json& calls, const std::string& why) const;

  SessionSurroundings& surroundings_;
  Start start_;
  std::unique_ptr<RemoteSession> session_;
  std::vector<Json> unapplied_;  ///< lists of calls whose outcomes came from the cache
  std::string key_;              ///< of the world, its start and all calls so far
  std::string last_state_, lost_;
};

}  // namespace retort::environments
