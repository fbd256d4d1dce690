// The SDK's side of worlds elsewhere: the parameters that all of them have, sessions, and the wish to stop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <retort/environment.hpp>
#include <retort/plugin.hpp>
#include <string>
#include <string_view>
#include <utility>

#include "exchange.h"
#include "remote_session.h"
#include "world.h"

namespace retort::environments {

/// What the user's wish to stop looks like to the host.
template <typename Body>
auto stoppable(const Body& body) {
  try {
    return body();
  } catch (const StopRequested&) {
    throw retort::Stopped();
  }
}

/// Parameters of every world elsewhere.
struct WorldLimits {
  double timeout = 60;
  std::int64_t output_limit = std::int64_t{64} << 20U;
  std::int64_t most_failures = 10;
  std::int64_t cache_entries = 0;
  std::string cache_file;

  template <typename Params>
  static void declare(ParameterSet<Params>& parameters) {
    parameters.number("timeout", &Params::timeout)
        .above(0)
        .unit("s")
        .doc("for one answer; a world that takes longer is given up, and its open sessions are lost")
        .integer("output_limit", &Params::output_limit)
        .at_least(1024)
        .unit("byte")
        .doc("of one answer; a world that writes more is given up")
        .integer("most_failures", &Params::most_failures)
        .at_least(0)
        .doc("sessions in a row that may fail; each is a failed result of its calls, one more ends the run")
        .integer("cache_entries", &Params::cache_entries)
        .at_least(0)
        .doc(
            "outcomes of calls that are kept and not asked for again; 0 is off. For worlds that do the same on the "
            "same calls, or calls that must not be made twice")
        .string("cache_file", &Params::cache_file)
        .doc("file that keeps these outcomes for later runs; empty: memory only. Remove it when the tools change");
  }
  std::unique_ptr<SessionSurroundings> surroundings(std::string identity) const {
    if (cache_entries == 0 && !cache_file.empty())
      throw std::invalid_argument("cache_file: expected \"cache_entries\" above 0 beside it, found 0");
    return std::unique_ptr<SessionSurroundings>(
        new SessionSurroundings{std::move(identity), OutcomeCache(static_cast<std::size_t>(cache_entries), cache_file),
                                Failures(most_failures)});
  }
};

class PluginSession final : public retort::Session {
 public:
  explicit PluginSession(std::unique_ptr<GuardedSession> session) : session_(std::move(session)) {}
  std::string execute(std::string_view calls) override {
    return stoppable([&] { return session_->execute(calls); });
  }
  std::string state() const override {
    return stoppable([&] { return session_->state(); });
  }

 private:
  std::unique_ptr<GuardedSession> session_;
};

/// A session of `world`, which has start(text); the world and the surroundings outlive it.
template <typename AnyWorld>
std::unique_ptr<retort::Session> guarded_session(SessionSurroundings& surroundings, const AnyWorld& world,
                                                 std::string_view start) {
  return stoppable([&] {
    return std::make_unique<PluginSession>(std::make_unique<GuardedSession>(
        surroundings, start, [&world, text = std::string(start)] { return world.start(text); }));
  });
}

/// An environment whose world speaks the protocol of environment/process/README.md, whatever way it goes.
class ProtocolEnvironment : public retort::Environment {
 public:
  std::string tools() const override {
    return stoppable([&] { return world_.tools(); });
  }
  void generate(std::string_view split, std::int64_t count, std::uint64_t seed,
                const retort::ItemSink& rows) const override {
    stoppable([&] {
      world_.generate(split, count, seed, [&](std::uint64_t index, const std::string& row) { rows.item(index, row); });
    });
  }
  std::unique_ptr<retort::Session> start(std::string_view start) const override {
    return guarded_session(*surroundings_, world_, start);
  }

 protected:
  ProtocolEnvironment(std::unique_ptr<SessionSurroundings> surroundings, OpenExchange open,
                      std::uint64_t first_session = 1)
      : surroundings_(std::move(surroundings)), world_(std::move(open), first_session) {}

 private:
  std::unique_ptr<SessionSurroundings> surroundings_;
  World world_;
};

}  // namespace retort::environments
