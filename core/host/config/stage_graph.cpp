// How the stages of a config hang together: names, inputs, kinds, order.
#include <algorithm>
#include <map>

#include "host/config/config_resolution.h"

namespace retort::host {
namespace {

class Graph {
 public:
  Graph(std::vector<ResolvedStage>& stages, Diagnostics& diagnostics) : stages_(stages), diagnostics_(diagnostics) {
    for (std::size_t i = 0; i < stages.size(); ++i) {
      const std::string& name = stages[i].name;
      if (name.empty()) continue;
      const auto [place, is_new] = index_.emplace(name, i);
      if (!is_new)
        report("/stages/" + std::to_string(i) + "/name",
               "a second stage \"" + name + "\"; the first is /stages/" + std::to_string(place->second),
               "give each stage its own name");
    }
  }

  void connect(std::size_t index, const Json& entry) {
    ResolvedStage& stage = stages_[index];
    if (!entry.is_object() || stage.component.id.empty()) return;
    const std::string pointer = "/stages/" + std::to_string(index);
    const Json given = entry.value("inputs", Json::object());
    if (!given.is_object()) {
      report(pointer + "/inputs", "expected {input name: stage name, …}, found " + given.dump(), "");
      return;
    }
    const Json described = stage.component.stage.value("inputs", Json::array());
    std::vector<std::string> names;
    for (const Json& input : described) {
      names.push_back(input["name"]);
      if (given.contains(names.back()))
        connect_input(stage, input, given[names.back()], pointer_to(pointer + "/inputs", names.back()));
      else if (!input.value("optional", false))
        report(pointer,
               "input \"" + names.back() + "\" is missing: the name of a stage that makes a " +
                   input["kind"].get<std::string>(),
               makers_of(input["kind"], stage.name));
    }
    for (const auto& item : given.items())
      if (std::find(names.begin(), names.end(), item.key()) == names.end())
        report(pointer_to(pointer + "/inputs", item.key()), stage.component.id + " has no input \"" + item.key() + "\"",
               suggestion_for(item.key(), names));
  }

  /// Sorts topologically; among stages that could run, the config's order decides.
  void sort() {
    std::vector<std::size_t> order;
    std::vector<bool> done(stages_.size(), false);
    while (order.size() < stages_.size()) {
      std::size_t next = 0;
      while (next < stages_.size() && (done[next] || !ready(stages_[next], done))) ++next;
      if (next == stages_.size()) return report_circle(done);
      done[next] = true;
      order.push_back(next);
    }
    std::vector<std::size_t> position(order.size());
    std::vector<ResolvedStage> sorted;
    for (std::size_t i = 0; i < order.size(); ++i) {
      position[order[i]] = i;
      sorted.push_back(std::move(stages_[order[i]]));
    }
    for (ResolvedStage& stage : sorted)
      for (ResolvedInput& input : stage.inputs)
        for (std::size_t& source : input.stages) source = position[source];
    stages_ = std::move(sorted);
  }

 private:
  void connect_input(ResolvedStage& stage, const Json& described, const Json& given, const std::string& pointer) {
    ResolvedInput input{described["name"], {}};
    const bool list = described.value("list", false);
    if (!given.is_string() && !(list && given.is_array())) {
      report(pointer,
             std::string("expected a stage's name") + (list ? " or an array of them" : "") + ", found " + given.dump(),
             makers_of(described["kind"], stage.name));
      return;
    }
    const Json sources = given.is_array() ? given : Json::array({given});
    if (sources.empty() && !described.value("optional", false))
      report(pointer, "expected at least one stage's name, found []", makers_of(described["kind"], stage.name));
    for (std::size_t i = 0; i < sources.size(); ++i) {
      const std::string place = given.is_array() ? pointer_to(pointer, i) : pointer;
      if (!sources[i].is_string())
        report(place, "expected a stage's name, found " + sources[i].dump(), "");
      else if (const auto found = find(sources[i], described["kind"], stage.name, place))
        input.stages.push_back(*found);
    }
    stage.inputs.push_back(std::move(input));
  }

  std::optional<std::size_t> find(const std::string& source, const std::string& kind, const std::string& consumer,
                                  const std::string& pointer) {
    const auto place = index_.find(source);
    if (place == index_.end()) {
      std::vector<std::string> names;
      for (const auto& [name, unused] : index_)
        if (name != consumer) names.push_back(name);
      report(pointer, "no stage \"" + source + "\"", suggestion_for(source, names));
      return std::nullopt;
    }
    const ResolvedStage& maker = stages_[place->second];
    if (!maker.component.id.empty() && maker.produces != kind) {
      report(pointer,
             "expected a stage that makes a " + kind + ", found \"" + source + "\", which makes a " + maker.produces,
             makers_of(kind, consumer));
      return std::nullopt;
    }
    return place->second;
  }

  std::string makers_of(const std::string& kind, const std::string& consumer) const {
    std::vector<std::string> makers;
    for (const ResolvedStage& stage : stages_)
      if (stage.produces == kind && stage.name != consumer && !stage.name.empty()) makers.push_back(stage.name);
    return makers.empty() ? "no stage of this config makes a " + kind : suggestion_for("", makers);
  }

  static bool ready(const ResolvedStage& stage, const std::vector<bool>& done) {
    for (const ResolvedInput& input : stage.inputs)
      for (const std::size_t source : input.stages)
        if (!done[source]) return false;
    return true;
  }

  /// Follows, from a stage that cannot run, inputs that are not done until a stage comes again.
  void report_circle(const std::vector<bool>& done) {
    std::size_t at = 0;
    while (done[at]) ++at;
    std::vector<std::size_t> path;
    while (std::find(path.begin(), path.end(), at) == path.end()) {
      path.push_back(at);
      at = undone_source(stages_[at], done);
    }
    std::string circle;
    for (auto step = std::find(path.begin(), path.end(), at); step != path.end(); ++step)
      circle += stages_[*step].name + " ← ";
    report("/stages/" + std::to_string(at) + "/inputs", "stages wait for each other: " + circle + stages_[at].name,
           "take one of these inputs away");
  }

  static std::size_t undone_source(const ResolvedStage& stage, const std::vector<bool>& done) {
    for (const ResolvedInput& input : stage.inputs)
      for (const std::size_t source : input.stages)
        if (!done[source]) return source;
    return 0;  // not reached: a stage that is not ready has one
  }

  void report(const std::string& pointer, const std::string& message, const std::string& suggestion) {
    diagnostics_.push_back({pointer, message, suggestion});
  }

  std::vector<ResolvedStage>& stages_;
  Diagnostics& diagnostics_;
  std::map<std::string, std::size_t> index_;
};

}  // namespace

void connect_stages(const Json& entries, std::vector<ResolvedStage>& stages, Diagnostics& diagnostics) {
  Graph graph(stages, diagnostics);
  for (std::size_t i = 0; i < stages.size(); ++i) graph.connect(i, entries[i]);
  graph.sort();
}

}  // namespace retort::host
