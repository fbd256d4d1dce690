// ABI glue of environment.home.
#include <memory>
#include <nlohmann/json.hpp>
#include <retort/environment.hpp>
#include <retort/plugin.hpp>
#include <stdexcept>
#include <string>
#include <utility>

#include "grammar.h"
#include "home.h"
#include "rows.h"
#include "tools.h"

namespace {

using nlohmann::json;

class HomeSession final : public retort::Session {
 public:
  explicit HomeSession(retort::home::Home home) : home_(std::move(home)) {}

  std::string execute(std::string_view calls) override {
    const json parsed = json::parse(calls, nullptr, false);
    if (parsed.is_discarded()) throw std::invalid_argument("environment.home: execute: expected a JSON array of calls");
    return dump(retort::home::to_json(retort::home::execute(home_, parsed)));
  }
  std::string state() const override { return dump(home_.state()); }

 private:
  static std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }
  retort::home::Home home_;
};

class HomeEnvironment final : public retort::Environment {
 public:
  using Params = retort::NoParams;
  explicit HomeEnvironment(const Params&) {}

  std::string tools() const override { return retort::home::tools().dump(); }

  void generate(std::string_view split, std::int64_t count, std::uint64_t seed,
                const retort::ItemSink& rows) const override {
    std::uint64_t index = 0;
    for (const auto& utterance : grammar_.generate(retort::home::split_named(std::string(split)), count, seed,
                                                   [] { retort::throw_if_stopped(); })) {
      retort::throw_if_stopped();
      rows.item(index++, retort::home::to_chat_row(utterance).dump());
    }
  }

  /// There is one initial home: a seed changes nothing about it.
  std::unique_ptr<retort::Session> start(std::string_view start) const override {
    if (start == "{}") return std::make_unique<HomeSession>(retort::home::Home());
    const json parsed = json::parse(start, nullptr, false);
    if (!parsed.is_object()) throw std::invalid_argument("environment.home: start: expected a JSON object");
    if (!parsed.contains("state")) return std::make_unique<HomeSession>(retort::home::Home());
    return std::make_unique<HomeSession>(retort::home::Home(parsed["state"]));
  }

 private:
  retort::home::Grammar grammar_;
};

}  // namespace

RETORT_PLUGIN(HomeEnvironment, "environment.home", "1.1.0",
              "a simulated home with 23 tools and a grammar of spoken requests to it");
