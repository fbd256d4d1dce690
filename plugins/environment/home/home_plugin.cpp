// ABI glue of environment.home.
#include <nlohmann/json.hpp>
#include <retort/environment.hpp>
#include <retort/plugin.hpp>
#include <stdexcept>
#include <string>

#include "grammar.h"
#include "home.h"
#include "rows.h"
#include "tools.h"

namespace {

using nlohmann::json;

class HomeEnvironment final : public retort::Environment {
 public:
  using Params = retort::NoParams;
  explicit HomeEnvironment(const Params&) {}

  std::string tools() const override { return retort::home::tools().dump(); }

  void generate(std::string_view split, std::int64_t count, std::uint64_t seed,
                const std::function<void(std::string_view)>& row) const override {
    for (const auto& utterance : grammar_.generate(retort::home::split_named(std::string(split)), count, seed)) {
      row(retort::home::to_chat_row(utterance).dump());
    }
  }

  std::string execute(std::string_view batches) const override {
    const json lists = json::parse(batches, nullptr, false);
    if (!lists.is_array())
      throw std::invalid_argument("environment.home: execute: expected a JSON array of lists of calls");
    json outcomes = json::array();
    for (const json& calls : lists) outcomes.push_back(retort::home::to_json(retort::home::execute(calls)));
    return outcomes.dump(-1, ' ', false, json::error_handler_t::replace);
  }

 private:
  retort::home::Grammar grammar_;
};

}  // namespace

RETORT_PLUGIN(HomeEnvironment, "environment.home", "1.0.0",
              "a simulated home with 23 tools and a grammar of spoken requests to it");
