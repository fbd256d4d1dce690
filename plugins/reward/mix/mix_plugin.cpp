// reward.mix: a weighted sum of any rewards. Its first score, "score", is Σ weight·(first score of each); behind it
// stand all scores of all of them, named "1.score", "2.score", … by their place, so that an algorithm may normalise
// each by itself (GDPO) and metrics show each. An answer that one of them calls malformed is malformed; an item that
// one cannot score has no score, and says which one could not.
#include <algorithm>
#include <cmath>
#include <retort/plugin.hpp>
#include <retort/reward.hpp>
#include <stdexcept>
#include <utility>
#include <vector>

#include "items.h"

namespace {

using nlohmann::json;

class Mix final : public retort::Reward {
 public:
  struct Params {
    std::vector<double> weights;
  };
  static auto schema() {
    return retort::params<Params>()
        .numbers("weights", &Params::weights)
        .doc("one a reward, in their order; empty: 1 each");
  }
  static const retort::SlotList& slots() {
    static const retort::SlotList list =
        retort::SlotList().add("rewards", RETORT_REWARD_INTERFACE, "what is added up", RETORT_SLOT_LIST);
    return list;
  }
  /// The host also makes instances without anything in their slots, to see whether the parameters will do.
  Mix(Params params, const retort::Slots& slots) : weights_(std::move(params.weights)) {
    for (const double weight : weights_)
      if (!std::isfinite(weight)) throw std::invalid_argument("weights: expected finite numbers");
    for (const retort::BoundComponent& component : slots.list("rewards")) rewards_.emplace_back(component);
    if (!rewards_.empty() && !weights_.empty() && weights_.size() != rewards_.size())
      throw std::invalid_argument("weights: expected one for each of the " + std::to_string(rewards_.size()) +
                                  " rewards, found " + std::to_string(weights_.size()));
  }

  std::string scores() const override {
    json names = json::array();
    json lowest = 0.0, highest = 0.0;
    for (std::size_t i = 0; i < rewards_.size(); ++i) {
      const json parts = json::parse(rewards_[i].scores());
      for (std::size_t k = 0; k < parts.size(); ++k) {
        json named = parts[k];
        if (k == 0) add_bounds(named, weight(i), lowest, highest);
        named["name"] = part_name(i, named.at("name"));
        names.push_back(std::move(named));
      }
    }
    const json sum = {
        {"name", "score"}, {"minimum", lowest}, {"maximum", highest}, {"summary", "weighted sum of the first scores"}};
    names.insert(names.begin(), sum);
    return retort::rewards::text_of(names);
  }

  void score(const retort::RewardBatch& batch, const retort::ItemSink& scores) override {
    const json items = retort::rewards::parse_array(batch.items, "items");
    std::vector<Sum> sums(items.size());
    for (std::size_t i = 0; i < rewards_.size(); ++i) {
      std::vector<bool> answered(items.size(), false);
      const std::string first = json::parse(rewards_[i].scores()).at(0).at("name");
      rewards_[i].score(batch, [&](std::uint64_t index, std::string_view text) {
        if (index >= items.size() || answered[index])
          throw std::runtime_error(name(i) + " gave item " + std::to_string(index) + " of " +
                                   std::to_string(items.size()) + (index < items.size() ? " twice" : ""));
        answered[index] = true;
        add(sums[index], i, first, json::parse(text));
      });
      for (std::size_t index = 0; index < items.size(); ++index)
        if (!answered[index] && sums[index].error.empty()) sums[index].error = name(i) + ": gave no score";
    }
    for (std::size_t index = 0; index < items.size(); ++index)
      scores.item(index, retort::rewards::text_of(result_of(sums[index])));
  }

 private:
  struct Sum {
    double score = 0;
    bool malformed = false;
    std::string reason, error;
    json parts = json::object();
  };

  double weight(std::size_t i) const { return weights_.empty() ? 1 : weights_[i]; }
  std::string name(std::size_t i) const { return std::to_string(i + 1) + " (" + std::string(rewards_[i].id()) + ")"; }
  static std::string part_name(std::size_t i, const std::string& score) { return std::to_string(i + 1) + "." + score; }

  /// Adds weight·[minimum, maximum]; null: unbounded.
  static void add_bounds(const json& named, double weight, json& lowest, json& highest) {
    const auto bound = [&](const char* key) { return named.contains(key) ? named[key] : json(); };
    const json a = bound(weight >= 0 ? "minimum" : "maximum"), b = bound(weight >= 0 ? "maximum" : "minimum");
    const auto add = [&](json& sum, const json& part) {
      if (weight == 0) return;
      sum = sum.is_null() || part.is_null() ? json() : json(sum.get<double>() + weight * part.get<double>());
    };
    add(lowest, a);
    add(highest, b);
  }

  void add(Sum& sum, std::size_t i, const std::string& first, const json& item) const {
    if (item.contains("error")) {
      if (sum.error.empty()) sum.error = name(i) + ": " + item["error"].get<std::string>();
      return;
    }
    for (const auto& part : item.at("scores").items()) sum.parts[part_name(i, part.key())] = part.value();
    sum.score += weight(i) * item.at("scores").at(first).get<double>();
    sum.malformed = sum.malformed || item.value("malformed", false);
    const std::string reason = item.value("reason", "");
    if (!reason.empty()) sum.reason += (sum.reason.empty() ? "" : "; ") + name(i) + ": " + reason;
  }

  static json result_of(const Sum& sum) {
    if (!sum.error.empty()) return {{"error", sum.error}};
    json result = {{"scores", sum.parts}, {"reason", sum.reason}};
    result["scores"]["score"] = sum.score;
    if (sum.malformed) result["malformed"] = true;
    return result;
  }

  std::vector<double> weights_;
  std::vector<retort::RewardSlot> rewards_;
};

}  // namespace

RETORT_PLUGIN(Mix, "reward.mix", "1.0.0", "a weighted sum of any rewards, each of which is shown by itself as well");
