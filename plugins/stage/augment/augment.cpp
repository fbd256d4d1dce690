// Finds what can be swapped, collects the values by tool and argument, and makes new examples of them.
#include "augment.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <random>
#include <set>
#include <sstream>
#include <stdexcept>
#include <utility>

#include "host/base/diagnostic.h"
#include "host/plugin/stop_request.h"

namespace retort::stages {
namespace {

using nlohmann::json;
using task::Example;
using Random = std::mt19937_64;
using Place = std::pair<std::string, std::string>;  ///< tool, argument
constexpr char every_name[] = "*";
using Pools = std::map<Place, std::vector<std::string>>;

/// std::uniform_*_distribution differ between libraries; these do not.
std::size_t below(Random& random, std::size_t bound) {
  return static_cast<std::size_t>(random() % bound);
}
double fraction(Random& random) {
  return static_cast<double>(random() >> 11U) * 0x1.0p-53;
}

/// Bytes beyond ASCII belong to words.
bool in_word(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 || std::isalnum(byte) != 0 || c == '\'';
}

/// Where `value` stands as whole words; npos when nowhere or more than once.
std::size_t only_occurrence(const std::string& utterance, const std::string& value) {
  std::size_t place = std::string::npos;
  for (std::size_t at = utterance.find(value); at != std::string::npos; at = utterance.find(value, at + 1)) {
    const std::size_t end = at + value.size();
    if (at > 0 && in_word(utterance[at - 1])) continue;
    if (end < utterance.size() && in_word(utterance[end])) continue;
    if (place != std::string::npos) return std::string::npos;
    place = at;
  }
  return place;
}

/// The nearest place at or after `at` that does not split a UTF-8 character.
std::size_t character_boundary(const std::string& word, std::size_t at) {
  while (at < word.size() && (static_cast<unsigned char>(word[at]) & 0xC0U) == 0x80U) ++at;
  return at;
}

bool is_closed(const json& schema) {
  return schema.contains("enum") || schema.contains("const") || schema.contains("pattern");
}

bool lists(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

json schema_of(const std::vector<task::Tool>& tools, const std::string& tool, const std::string& argument) {
  for (const task::Tool& candidate : tools) {
    if (candidate.name != tool || !candidate.parameters.contains("properties")) continue;
    return candidate.parameters["properties"].value(argument, json::object());
  }
  return json::object();
}

void add_site(const Example& example, SwapSite site, const json& value, std::vector<SwapSite>& sites) {
  if (!value.is_string() || value.get_ref<const std::string&>().empty()) return;
  const auto& words = value.get_ref<const std::string&>();
  site.begin = only_occurrence(example.utterance(), words);
  if (site.begin == std::string::npos) return;
  site.end = site.begin + words.size();
  sites.push_back(std::move(site));
}

json& value_at(std::vector<task::Call>& calls, const SwapSite& site) {
  json& argument = calls[site.call].arguments[site.argument];
  return site.item < 0 ? argument : argument[static_cast<std::size_t>(site.item)];
}

Place place_of(const Example& example, const SwapSite& site) {
  return {(*example.calls)[site.call].name, site.argument};
}

struct Source {
  const Example* example;
  std::vector<SwapSite> sites;
};

class Augmenter {
  inline static const Place all_words = {};  ///< the pool of every value's words

 public:
  Augmenter(const std::vector<Example>& examples, const std::vector<task::Tool>& tools, const AugmentOptions& options)
      : tools_(tools), options_(options), random_(options.seed) {
    std::map<Place, std::map<std::string, std::size_t>> values;  // how often each stands
    std::map<Place, std::set<std::string>> words;
    for (const Example& example : examples) {
      host::throw_if_stop_requested();
      std::vector<SwapSite> sites = swap_sites(example, tools, options.closed);
      for (const SwapSite& site : sites) {
        const std::string value = example.utterance().substr(site.begin, site.end - site.begin);
        const Place pool = pool_of(place_of(example, site));
        ++values[pool][value];
        std::istringstream stream(value);
        for (std::string word; stream >> word;) {
          words[pool].insert(word);
          words[all_words].insert(word);
        }
      }
      if (!sites.empty()) sources_.push_back({&example, std::move(sites)});
    }
    for (const auto& [place, counts] : values) {
      std::size_t once = 0, all = 0;
      for (const auto& [value, count] : counts) {
        values_[place].push_back(value);
        once += count == 1 ? 1 : 0;
        all += count;
      }
      novelty_[place] = static_cast<double>(once) / static_cast<double>(all);
    }
    for (const auto& [place, set] : words) words_[place].assign(set.begin(), set.end());
  }

  bool has_sources() const { return !sources_.empty(); }

  /// A new example, not necessarily different from known ones.
  Example make() {
    const Source& source = sources_[below(random_, sources_.size())];
    Example result = *source.example;
    const std::size_t sure = below(random_, source.sites.size());
    for (std::size_t i = source.sites.size(); i-- > 0;) {  // from the end, so that earlier places stay valid
      if (i != sure && fraction(random_) >= options_.swap_share) continue;
      const SwapSite& site = source.sites[i];
      const std::string value = new_value(place_of(result, site));
      result.messages.back().content.replace(site.begin, site.end - site.begin, value);
      value_at(*result.calls, site) = value;
    }
    result.metadata["augmented"] = true;
    return result;
  }

  bool valid(const Example& example) const {
    return std::none_of(example.calls->begin(), example.calls->end(),
                        [this](const task::Call& call) { return task::invalid_reason(call, tools_).has_value(); });
  }

 private:
  /// Whose values and words `place` draws from.
  Place pool_of(const Place& place) const {
    const bool shared = lists(options_.shared_arguments, place.second) || lists(options_.shared_arguments, every_name);
    return shared ? Place("", place.second) : place;
  }

  std::string new_value(const Place& place) {
    const std::vector<std::string>* listed = list_of(options_.value_lists, place.first, place.second);
    if (listed != nullptr && fraction(random_) < options_.listed_share)
      return (*listed)[below(random_, listed->size())];
    const Place pool = pool_of(place);
    const std::vector<std::string>& values = values_.at(pool);
    const double share = options_.random_share * (options_.by_novelty ? novelty_.at(pool) : 1);
    if (!takes_random(place) || fraction(random_) >= share) return values[below(random_, values.size())];
    const bool own_words = options_.own_words_share > 0 && fraction(random_) < options_.own_words_share;
    const std::vector<std::string>& words = words_.at(own_words ? pool : all_words);
    std::string value;
    for (std::size_t left = 1 + below(random_, static_cast<std::size_t>(options_.longest_random)); left > 0; --left) {
      value += (value.empty() ? "" : " ") + word(words);
    }
    return value;
  }

  bool takes_random(const Place& place) const {
    if (!options_.random_arguments.empty() && !lists(options_.random_arguments, place.second)) return false;
    return !is_closed(schema_of(tools_, place.first, place.second));
  }

  /// Spliced words have rare sequences of tokens, which no model can recall and only copying gets right.
  std::string word(const std::vector<std::string>& words) {
    const std::string& first = words[below(random_, words.size())];
    if (fraction(random_) >= options_.spliced_share) return first;
    const std::string& second = words[below(random_, words.size())];
    const std::string head = first.substr(0, character_boundary(first, 1 + below(random_, first.size())));
    return head + second.substr(character_boundary(second, below(random_, second.size())));
  }

  const std::vector<task::Tool>& tools_;
  const AugmentOptions& options_;
  Random random_;
  std::vector<Source> sources_;
  Pools values_;
  Pools words_;
  std::map<Place, double> novelty_;  ///< share of the values that stand once
};

}  // namespace

void require_known_arguments(const AugmentOptions& options, const std::vector<task::Tool>& tools) {
  std::set<std::string> arguments;
  for (const task::Tool& tool : tools) {
    const json properties = tool.parameters.value("properties", json::object());
    for (const auto& argument : properties.items()) arguments.insert(argument.key());
  }
  const std::vector<std::string> known(arguments.begin(), arguments.end());
  for (const auto& [list, names] : {std::pair("random_arguments", &options.random_arguments),
                                    std::pair("shared_arguments", &options.shared_arguments)}) {
    for (const std::string& name : *names) {
      if (arguments.count(name) != 0 || (name == every_name && names == &options.shared_arguments)) continue;
      const std::string nearest = host::nearest_name(name, known);
      throw std::invalid_argument(std::string(list) + ": expected the name of an argument of a tool, found \"" + name +
                                  "\"" + (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
    }
  }
}

std::vector<SwapSite> swap_sites(const Example& example, const std::vector<task::Tool>& tools, bool closed) {
  std::vector<SwapSite> sites;
  if (!example.calls || example.has_context()) return sites;
  for (std::size_t i = 0; i < example.calls->size(); ++i) {
    const task::Call& call = (*example.calls)[i];
    for (const auto& argument : call.arguments.items()) {
      const json schema = schema_of(tools, call.name, argument.key());
      const json items = schema.value("items", json::object());
      if (!closed && (is_closed(schema) || is_closed(items))) continue;
      const json& value = argument.value();
      if (!value.is_array()) add_site(example, {i, argument.key(), -1, 0, 0}, value, sites);
      for (std::size_t k = 0; value.is_array() && k < value.size(); ++k) {
        add_site(example, {i, argument.key(), static_cast<std::int64_t>(k), 0, 0}, value[k], sites);
      }
    }
  }
  std::sort(sites.begin(), sites.end(), [](const SwapSite& a, const SwapSite& b) { return a.begin < b.begin; });
  const std::vector<SwapSite> all = sites;
  std::erase_if(sites, [&all](const SwapSite& site) {
    return std::count_if(all.begin(), all.end(), [&site](const SwapSite& other) {
             return other.begin < site.end && site.begin < other.end;
           }) > 1;
  });
  return sites;
}

std::vector<Example> augment(const std::vector<Example>& examples, const std::vector<task::Tool>& tools,
                             const AugmentOptions& options, const std::vector<Example>& held_out) {
  std::vector<Example> result = examples;
  std::set<std::string> utterances;
  for (const auto* known : {&examples, &held_out}) {
    for (const Example& example : *known) utterances.insert(example.utterance());
  }
  Augmenter augmenter(examples, tools, options);
  const auto target = static_cast<std::size_t>(static_cast<double>(examples.size()) * std::max(options.factor, 1.0));
  constexpr std::size_t kAttemptsPerExample = 20;
  std::size_t attempts = augmenter.has_sources() ? kAttemptsPerExample * (target - examples.size()) : 0;
  for (; attempts > 0 && result.size() < target; --attempts) {
    host::throw_if_stop_requested();
    Example example = augmenter.make();
    if (utterances.count(example.utterance()) != 0 || !augmenter.valid(example)) continue;
    utterances.insert(example.utterance());
    result.push_back(std::move(example));
  }
  return result;
}

}  // namespace retort::stages
