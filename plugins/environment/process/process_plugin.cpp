// ABI glue of environment.process.
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "guarded_environment.h"
#include "line_process.h"
#include "world.h"

namespace {

namespace environments = retort::environments;
using environments::stoppable;

class ProcessEnvironment final : public retort::Environment {
 public:
  struct Params : environments::WorldLimits {
    std::string program;
    std::vector<std::string> arguments;
  };
  static auto schema() {
    auto parameters = retort::params<Params>();
    parameters.string("program", &Params::program)
        .existing_path()
        .required()
        .doc("an executable file that answers JSON lines on its standard input and output")
        .strings("arguments", &Params::arguments)
        .doc("of the program; what they name is not part of the stage's key");
    environments::WorldLimits::declare(parameters);
    return parameters;
  }
  explicit ProcessEnvironment(const Params& params)
      : surroundings_(params.surroundings(identity_of(params))), world_([settings = settings_of(params)] {
          return std::make_unique<environments::LineProcess>(settings, &retort::should_stop);
        }) {}

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
    return stoppable([&] {
      return std::make_unique<environments::PluginSession>(std::make_unique<environments::GuardedSession>(
          *surroundings_, start, [this, text = std::string(start)] { return world_.start(text); }));
    });
  }

 private:
  static environments::Settings settings_of(const Params& params) {
    return {params.program, params.arguments, params.timeout, static_cast<std::size_t>(params.output_limit)};
  }
  static std::string identity_of(const Params& params) {
    std::string text = params.program;
    for (const std::string& argument : params.arguments) text += '\n' + argument;
    return text;
  }

  std::unique_ptr<environments::SessionSurroundings> surroundings_;
  environments::World world_;
};

}  // namespace

RETORT_PLUGIN(ProcessEnvironment, "environment.process", "1.1.0", "a world in a program that speaks JSON lines");
