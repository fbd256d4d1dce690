// ABI glue of environment.mcp.
#include <memory>
#include <retort/host_secrets.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "guarded_environment.h"
#include "server_world.h"

namespace {

namespace environments = retort::environments;
namespace mcp = retort::mcp;
using environments::stoppable;

class McpEnvironment final : public retort::Environment {
 public:
  struct Params : environments::WorldLimits {
    std::string program, script;
    std::vector<std::string> arguments;
    std::string url, api_key;
    std::string protocol_version = "2025-11-25";
    std::string sessions = "own";
    std::vector<std::string> tools;
  };
  static auto schema() {
    auto parameters = retort::params<Params>();
    parameters.string("program", &Params::program)
        .doc(
            "the server as a program that speaks MCP on its standard input and output: a path, or a name that PATH has")
        .string("script", &Params::script)
        .existing_path()
        .doc(
            "file that the program runs, before the arguments; without a program it is started itself. Relative to the "
            "config, and part of the stage's key")
        .strings("arguments", &Params::arguments)
        .doc("of the program; what they name is not part of the stage's key")
        .string("url", &Params::url)
        .doc("the server's address for streamable HTTP, such as http://127.0.0.1:8000/mcp")
        .string("api_key", &Params::api_key)
        .secret_env()
        .doc("name of the environment variable that holds the key, sent as a bearer token; empty: none")
        .string("protocol_version", &Params::protocol_version)
        .one_of({"2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"})
        .doc("asked for; a server may answer with an older one. 2026-07-28 goes without a handshake")
        .string("sessions", &Params::sessions)
        .one_of({"own", "shared"})
        .doc(
            "own: a server for each session, so that no row sees another's changes; shared: one for all, far faster, "
            "for servers whose tools change nothing")
        .strings("tools", &Params::tools)
        .doc("names of the server's tools that are offered; empty: all");
    environments::WorldLimits::declare(parameters);
    return parameters;
  }
  explicit McpEnvironment(const Params& params)
      : surroundings_(params.surroundings(identity_of(params))),
        world_(connect(params), params.sessions == "own" ? mcp::Isolation::own : mcp::Isolation::shared, params.tools) {
  }

  std::string tools() const override {
    return stoppable([&] { return world_.tools(); });
  }
  std::unique_ptr<retort::Session> start(std::string_view start) const override {
    return environments::guarded_session(*surroundings_, world_, start);
  }

 private:
  static mcp::Connect connect(const Params& params) {
    const bool started = !params.program.empty() || !params.script.empty();
    if (started != params.url.empty())
      throw std::invalid_argument("expected a \"program\" or \"script\", or else a \"url\", found " +
                                  std::string(started ? "both" : "neither"));
    const auto limit = static_cast<std::size_t>(params.output_limit);
    const std::string version = params.protocol_version;
    if (started)
      return [version, settings = program_of(params, limit)] {
        return std::make_unique<mcp::Client>(mcp::stdio_transport(settings, &retort::should_stop), version);
      };
    const environments::HttpSettings settings{
        params.url, params.api_key.empty() ? std::string() : retort::secret(params.api_key), params.timeout, limit};
    environments::HttpClient(settings, &retort::should_stop);  // refuses an address that is none
    return [version, settings] {
      return std::make_unique<mcp::Client>(mcp::http_transport(settings, &retort::should_stop), version);
    };
  }
  static environments::Settings program_of(const Params& params, std::size_t limit) {
    environments::Settings settings{params.program, params.arguments, params.timeout, limit};
    if (params.script.empty()) return settings;
    if (settings.program.empty())
      settings.program = params.script;
    else
      settings.arguments.insert(settings.arguments.begin(), params.script);
    return settings;
  }
  static std::string identity_of(const Params& params) {
    std::string text = params.program + "\n" + params.script + "\n" + params.url;
    for (const std::string& argument : params.arguments) text += '\n' + argument;
    return text;
  }

  std::unique_ptr<environments::SessionSurroundings> surroundings_;
  mcp::ServerWorld world_;
};

}  // namespace

RETORT_PLUGIN(McpEnvironment, "environment.mcp", "1.0.0",
              "the tools of a server that speaks the Model Context Protocol");
