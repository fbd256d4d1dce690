// ABI glue of environment.http.
#include <cstdint>
#include <memory>
#include <random>
#include <retort/host_secrets.hpp>
#include <string>

#include "guarded_environment.h"
#include "http_exchange.h"

namespace {

namespace environments = retort::environments;

/// Several runs may share a server: their sessions begin at numbers that do not meet. JSON numbers are exact to 2^53.
std::uint64_t first_session() {
  std::random_device random;
  return (std::uint64_t{random()} << 20U) + 1;
}

class HttpEnvironment final : public environments::ProtocolEnvironment {
 public:
  struct Params : environments::WorldLimits {
    std::string url, api_key;
  };
  static auto schema() {
    auto parameters = retort::params<Params>();
    parameters.string("url", &Params::url)
        .required()
        .doc("address that requests are posted to, each a JSON object as environment.process writes them")
        .string("api_key", &Params::api_key)
        .secret_env()
        .doc("name of the environment variable that holds the key, sent as a bearer token; empty: none");
    environments::WorldLimits::declare(parameters);
    return parameters;
  }
  explicit HttpEnvironment(const Params& params) : HttpEnvironment(params, settings_of(params)) {}

 private:
  HttpEnvironment(const Params& params, const environments::HttpSettings& settings)
      : ProtocolEnvironment(
            params.surroundings(params.url),
            [settings] { return std::make_unique<environments::HttpExchange>(settings, &retort::should_stop); },
            first_session()) {
    environments::HttpClient(settings, &retort::should_stop);  // refuses an address that is none
  }
  static environments::HttpSettings settings_of(const Params& params) {
    return {params.url, params.api_key.empty() ? std::string() : retort::secret(params.api_key), params.timeout,
            static_cast<std::size_t>(params.output_limit)};
  }
};

}  // namespace

RETORT_PLUGIN(HttpEnvironment, "environment.http", "1.0.0", "a world behind an address that JSON is posted to");
