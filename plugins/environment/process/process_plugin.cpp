// ABI glue of environment.process.
#include <cstdint>
#include <memory>
#include <retort/environment.hpp>
#include <retort/plugin.hpp>
#include <string>
#include <utility>
#include <vector>

#include "world.h"

namespace {

namespace process = retort::process;

/// What the user's wish to stop looks like to the host.
template <typename Body>
auto stoppable(const Body& body) {
  try {
    return body();
  } catch (const process::StopRequested&) {
    throw retort::Stopped();
  }
}

class ProcessSession final : public retort::Session {
 public:
  explicit ProcessSession(std::unique_ptr<process::RemoteSession> session) : session_(std::move(session)) {}
  std::string execute(std::string_view calls) override {
    return stoppable([&] { return session_->execute(calls); });
  }
  std::string state() const override {
    return stoppable([&] { return session_->state(); });
  }

 private:
  std::unique_ptr<process::RemoteSession> session_;
};

class ProcessEnvironment final : public retort::Environment {
 public:
  struct Params {
    std::string program;
    std::vector<std::string> arguments;
    double timeout = 60;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("program", &Params::program)
        .existing_path()
        .required()
        .doc("an executable file that answers JSON lines on its standard input and output")
        .strings("arguments", &Params::arguments)
        .doc("of the program; what they name is not part of the stage's key")
        .number("timeout", &Params::timeout)
        .above(0)
        .unit("s")
        .doc("for one answer; a program that takes longer is ended");
  }
  explicit ProcessEnvironment(Params params)
      : world_({std::move(params.program), std::move(params.arguments), params.timeout}, &retort::should_stop) {}

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
    return stoppable([&] { return std::make_unique<ProcessSession>(world_.start(start)); });
  }

 private:
  process::World world_;
};

}  // namespace

RETORT_PLUGIN(ProcessEnvironment, "environment.process", "1.0.0", "a world in a program that speaks JSON lines");
