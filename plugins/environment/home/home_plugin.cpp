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
  struct Params {
    std::string speech = "simple";
    double none = .2, several = .24, made_up = .25;
    retort::home::SurfaceOptions surface;
    double fillers = surface.fillers, contractions = surface.contractions, no_apostrophes = surface.no_apostrophes,
           abbreviations = surface.abbreviations, slips = surface.slips, capitals = surface.capitals,
           marks = surface.marks;
  };
  static auto schema() {
    auto params = retort::params<Params>()
                      .string("speech", &Params::speech)
                      .one_of({"simple", "wide"})
                      .doc("simple: few ways to say a thing, what teacher.rules reads; wide: as people speak and type");
    share(params, "none", &Params::none, "wide speech: utterances that no tool answers");
    share(params, "several", &Params::several, "wide speech: utterances with several requests");
    share(params, "made_up", &Params::made_up, "wide speech: names, titles and items of invented words");
    share(params, "fillers", &Params::fillers, "wide speech: utterances with a wake word or a filler");
    share(params, "contractions", &Params::contractions,
          "wide speech: utterances that contract what can be contracted");
    share(params, "no_apostrophes", &Params::no_apostrophes, "wide speech: of those, without apostrophes");
    share(params, "abbreviations", &Params::abbreviations, "wide speech: utterances with abbreviations");
    share(params, "slips", &Params::slips, "wide speech: utterances with a slip of the finger outside values");
    share(params, "capitals", &Params::capitals, "wide speech: utterances that are not all in lower case");
    share(params, "marks", &Params::marks, "wide speech: utterances with a final mark");
    return params;
  }
  explicit HomeEnvironment(const Params& params) : grammar_(options_of(params)) {}

  std::string tools() const override { return retort::home::tools().dump(); }

  void generate(std::string_view split, std::int64_t count, std::uint64_t seed,
                const retort::ItemSink& rows) const override {
    std::uint64_t index = 0;
    grammar_.generate(
        retort::home::split_named(std::string(split)), count, seed,
        [&](const retort::home::Utterance& utterance) {
          rows.item(index++, retort::home::to_chat_row(utterance).dump());
        },
        [] { retort::throw_if_stopped(); });
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
  template <class Schema>
  static void share(Schema& params, const char* name, double Params::* member, const char* doc) {
    params.number(name, member).at_least(0).at_most(1).doc(doc);
  }
  static retort::home::GrammarOptions options_of(const Params& params) {
    retort::home::GrammarOptions options;
    if (params.speech == "wide") options.speech = retort::home::Speech::wide;
    options.none = params.none;
    options.several = params.several;
    options.made_up = params.made_up;
    options.surface = {params.fillers, params.contractions, params.no_apostrophes, params.abbreviations,
                       params.slips,   params.capitals,     params.marks};
    return options;
  }

  retort::home::Grammar grammar_;
};

}  // namespace

RETORT_PLUGIN(HomeEnvironment, "environment.home", "1.1.0",
              "a simulated home with 23 tools and a grammar of spoken requests to it");
