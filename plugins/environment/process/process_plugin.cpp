// ABI glue of environment.process.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "guarded_environment.h"
#include "line_process.h"

namespace {

namespace environments = retort::environments;

class ProcessEnvironment final : public environments::ProtocolEnvironment {
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
      : ProtocolEnvironment(params.surroundings(identity_of(params)), [settings = settings_of(params)] {
          return std::make_unique<environments::LineProcess>(settings, &retort::should_stop);
        }) {}

 private:
  static environments::Settings settings_of(const Params& params) {
    return {params.program, params.arguments, params.timeout, static_cast<std::size_t>(params.output_limit)};
  }
  static std::string identity_of(const Params& params) {
    std::string text = params.program;
    for (const std::string& argument : params.arguments) text += '\n' + argument;
    return text;
  }
};

}  // namespace

RETORT_PLUGIN(ProcessEnvironment, "environment.process", "1.1.0", "a world in a program that speaks JSON lines");
