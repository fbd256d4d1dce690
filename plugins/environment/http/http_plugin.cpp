// ABI glue of environment.http.
#include <cstdint>
#include <memory>
#include <random>
#include <retort/host_secrets.hpp>
#include <string>
#include <utility>

#include "guarded_environment.h"
#include "http_exchange.h"
#include "world.h"

namespace {

namespace environments = retort::environments;
using environments::stoppable;

/// Several runs may share a server: their sessions begin at numbers that do not meet. JSON numbers are exact to 2^53.
std::uint64_t first_session() {
  std::random_device random;
  return (std::uint64_t{random()} << 20U) + 1;
}

class HttpEnvironment final : public retort::Environment {
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
  explicit HttpEnvironment(const Params& params)
      : surroundings_(params.surroundings(params.url)),
        exchange_settings_{params.url, params.api_key.empty() ? std::string() : retort::secret(params.api_key),
                           params.timeout, static_cast<std::size_t>(params.output_limit)},
        world_(
            [this] { return std::make_unique<environments::HttpExchange>(exchange_settings_, &retort::should_stop); },
            first_session()) {
    environments::HttpClient(exchange_settings_, &retort::should_stop);  // refuses an address that is none
  }

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
  std::unique_ptr<environments::SessionSurroundings> surroundings_;
  environments::HttpSettings exchange_settings_;
  environments::World world_;
};

}  // namespace

RETORT_PLUGIN(HttpEnvironment, "environment.http", "1.0.0", "a world behind an address that JSON is posted to");
