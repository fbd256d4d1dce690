#include "search.h"

#include <algorithm>
#include <cmath>
#include <retort/host.hpp>
#include <stdexcept>

#include "host/base/json.h"
#include "host/base/number_format.h"

namespace retort::search {
namespace {

using Json = nlohmann::json;

/// A latency above the limit by less than this may be noise.
constexpr double latency_tolerance = 1.25;

/// Figures by what they were measured on, written down one by one.
class Journal {
 public:
  explicit Journal(std::filesystem::path file) : file_(std::move(file)) {
    if (!file_.empty() && std::filesystem::exists(file_)) measured_ = host::read_json(file_);
  }
  template <typename Measure>
  Figures once(const std::string& key, const Measure& measure) {
    if (!measured_.contains(key)) {
      measured_[key] = to_json(measure());
      if (!file_.empty()) host::write_json(file_, measured_);
    }
    const Json& found = measured_.at(key);
    return {found.at("bytes"), found.at("milliseconds"), found.at("exact_match"), found.at("loss")};
  }

 private:
  std::filesystem::path file_;
  Json measured_ = Json::object();
};

/// Without what cannot be known before the model learns.
Limits of_size(const Limits& limits) {
  return {limits.bytes, limits.milliseconds * latency_tolerance, 0};
}

class Search {
 public:
  Search(const SearchOptions& options, Workbench& workbench)
      : options_(options), workbench_(workbench), journal_(options.journal) {
    if (options.shapes.empty() || options.storages.empty())
      throw std::invalid_argument("expected at least one shape and one quantizer to search over, found none");
    for (const Shape& shape : options.shapes) {
      alive_.push_back(true);
      for (const Storage& storage : options.storages) candidates_.push_back({shape, storage, {}, -1, "", false});
    }
  }

  SearchResult run() {
    for (std::size_t s = 0; s < alive_.size(); ++s) sift(s);
    refuse_what_cannot_be();
    for (std::size_t rung = 0; rung < options_.rungs; ++rung) {
      climb(rung);
      if (rung + 1 < options_.rungs) halve(rung);
    }
    return concluded();
  }

 private:
  std::size_t storages() const { return options_.storages.size(); }
  Candidate& candidate(std::size_t shape, std::size_t storage) { return candidates_[shape * storages() + storage]; }
  Figures proxies(const Candidate& one) {
    return journal_.once(one.name() + "@cut", [&] { return workbench_.proxies(one.shape, one.storage); });
  }

  /// Nothing where the format does not hold the model so: the candidate is dropped with the reason.
  std::optional<Figures> proxies_if_storable(Candidate& one) {
    try {
      return proxies(one);
    } catch (const std::invalid_argument& error) {
      one.dropped = error.what();
      return std::nullopt;
    }
  }

  /// Names the candidate that comes closest to the limits that all of them exceed.
  void refuse_what_cannot_be() const {
    if (std::find(alive_.begin(), alive_.end(), true) != alive_.end()) return;
    const Candidate *smallest = nullptr, *fastest = nullptr;
    for (const Candidate& one : candidates_) {
      if (one.figures.bytes > 0 && (smallest == nullptr || one.figures.bytes < smallest->figures.bytes))
        smallest = &one;
      if (one.figures.milliseconds > 0 &&
          (fastest == nullptr || one.figures.milliseconds < fastest->figures.milliseconds))
        fastest = &one;
    }
    if (smallest == nullptr)
      throw std::invalid_argument("no quantizer can store this model: " + candidates_.front().dropped);
    const bool large = options_.limits.bytes > 0 && smallest->figures.bytes > options_.limits.bytes;
    const std::string found =
        large ? "the smallest, " + smallest->name() + ", takes " + host::format_bytes(smallest->figures.bytes)
              : "the fastest, " + fastest->name() + ", takes " + host::format_ms(fastest->figures.milliseconds) +
                    " a call";
    throw std::invalid_argument("limits: no candidate can keep them: " + found + ", which is " +
                                (large ? smallest : fastest)->dropped + "; allow more, or let the search cut more");
  }

  /// Drops the candidates of a shape that exceed a limit, and the shape with its last one.
  void sift(std::size_t s) {
    workbench_.cut(options_.shapes[s]);
    bool left = false;
    for (std::size_t i = 0; i < storages(); ++i) {
      Candidate& one = candidate(s, i);
      if (!one.dropped.empty()) continue;
      try {
        if (const auto bytes = workbench_.bytes(one.shape, one.storage)) {
          one.figures.bytes = *bytes;
          one.dropped = misses_by({*bytes, 0, 1, 0}, {options_.limits.bytes, 0, 0});
        }
      } catch (const std::invalid_argument& error) {
        one.dropped = error.what();
      }
      if (one.dropped.empty()) {
        one.figures = proxies_if_storable(one).value_or(one.figures);
        if (one.dropped.empty() && !fits({one.figures.bytes, one.figures.milliseconds, 1, 0}, of_size(options_.limits)))
          one.dropped = misses_by({one.figures.bytes, one.figures.milliseconds, 1, 0},
                                  {options_.limits.bytes, options_.limits.milliseconds, 0});
      }
      left = left || one.dropped.empty();
    }
    if (!left) bury(s, "");
  }

  void climb(std::size_t rung) {
    for (std::size_t s = 0; s < alive_.size(); ++s) {
      if (!alive_[s] || !recovered(s, rung)) continue;
      for (std::size_t i = 0; i < storages(); ++i) {
        Candidate& one = candidate(s, i);
        if (!one.dropped.empty()) continue;
        one.figures = journal_.once(one.name() + "@" + std::to_string(rung),
                                    [&] { return workbench_.measure(one.shape, rung, one.storage); });
        one.rung = static_cast<std::int64_t>(rung);
        options_.log(one.name() + " at rung " + std::to_string(rung + 1) + ": " +
                     host::format_bytes(one.figures.bytes) + ", " + host::format_ms(one.figures.milliseconds) +
                     ", exact match " + host::format_percent(one.figures.exact_match) + ", loss " +
                     host::format_number(one.figures.loss));
      }
    }
  }

  /// A shape that cannot learn (its loss diverges, its vocabulary no longer writes the data) does not end the search.
  bool recovered(std::size_t s, std::size_t rung) {
    try {
      workbench_.recover(options_.shapes[s], rung);
      return true;
    } catch (const Stopped&) {
      throw;
    } catch (const std::exception& error) {
      options_.log(options_.shapes[s].name() + " is dropped: " + error.what());
      bury(s, error.what());
      return false;
    }
  }

  /// Lets the best shapes live, each judged by its candidate that comes first.
  void halve(std::size_t rung) {
    std::vector<Figures> figures;
    std::vector<std::size_t> owner;
    for (std::size_t s = 0; s < alive_.size(); ++s)
      for (std::size_t i = 0; alive_[s] && i < storages(); ++i)
        if (candidate(s, i).dropped.empty()) figures.push_back(candidate(s, i).figures), owner.push_back(s);
    const auto living = static_cast<double>(std::count(alive_.begin(), alive_.end(), true));
    const auto places = static_cast<std::size_t>(std::max(1.0, std::ceil(living * options_.survivors)));
    std::vector<std::size_t> kept;
    for (const std::size_t i : survival_order(figures))
      if (kept.size() < places && std::find(kept.begin(), kept.end(), owner[i]) == kept.end()) kept.push_back(owner[i]);
    for (std::size_t s = 0; s < alive_.size(); ++s)
      if (alive_[s] && std::find(kept.begin(), kept.end(), s) == kept.end())
        bury(s, "others came first at rung " + std::to_string(rung + 1));
  }

  void bury(std::size_t s, const std::string& why) {
    alive_[s] = false;
    for (std::size_t i = 0; i < storages(); ++i)
      if (Candidate& one = candidate(s, i); one.dropped.empty()) one.dropped = why;
  }

  SearchResult concluded() {
    std::vector<Figures> figures;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < candidates_.size(); ++i)
      if (candidates_[i].rung >= 0) figures.push_back(candidates_[i].figures), places.push_back(i);
    if (figures.empty())
      throw std::runtime_error("no candidate was left to measure; the first went because: " +
                               candidates_.front().dropped);
    const std::vector<std::size_t> ranks = pareto_ranks(figures);
    for (std::size_t i = 0; i < places.size(); ++i) candidates_[places[i]].front = ranks[i] == 0;
    SearchResult result{std::move(candidates_), 0, false, ""};
    if (const auto best = best_fitting(figures, options_.limits, options_.preference)) {
      result.best = places[*best];
      result.found = true;
      return result;
    }
    result.best = places[nearest(figures, options_.limits)];
    const Candidate& near = result.candidates[result.best];
    result.failure = "no candidate keeps all limits; the nearest, " + near.name() + ", is " +
                     misses_by(near.figures, options_.limits);
    return result;
  }

  const SearchOptions& options_;
  Workbench& workbench_;
  Journal journal_;
  std::vector<bool> alive_;
  std::vector<Candidate> candidates_;
};

}  // namespace

std::string Shape::name() const {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : "-") + part; };
  if (vocabulary > 0) add("v" + std::to_string(vocabulary));
  if (depth > 0) add("l" + std::to_string(depth));
  if (width > 0) add("w" + host::format_number(width));
  return text.empty() ? "whole" : text;
}

Json to_json(const Figures& figures) {
  return {{"bytes", figures.bytes},
          {"milliseconds", figures.milliseconds},
          {"exact_match", figures.exact_match},
          {"loss", figures.loss}};
}

SearchResult search(const SearchOptions& options, Workbench& workbench) {
  return Search(options, workbench).run();
}

}  // namespace retort::search
