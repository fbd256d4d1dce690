// The grammar of requests to the home: deterministic utterances with the calls that they mean.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "clause_template.h"

namespace retort::home {

struct Utterance {
  std::string text;
  nlohmann::json calls = nlohmann::json::array();  ///< [{"name": …, "arguments": {…}}]; empty: no tool answers
  std::string template_id;                         ///< frame and clauses, "pair.02(light_dim.03+fan_set.01)"
};

/// The way clauses are put together: text around {a}, {b} and {c}.
struct Frame {
  std::string id;
  std::string text;
  bool test_only = false;
  bool imperative = true;  ///< the first clause must be one
};

struct Intent {
  std::string tool;        ///< "none" for what no tool answers
  std::size_t weight = 1;  ///< of its share in training utterances
  std::vector<ClauseTemplate> templates;
};

/// Clauses that speak of what the clause before them named: "… and set it to forty percent".
struct FollowUp {
  std::string first, second;                           ///< tools
  nlohmann::json required = nlohmann::json::object();  ///< arguments that the first call must have
  std::string shared;                                  ///< argument that goes over from the first call; "" for none
  std::vector<ClauseTemplate> templates;
};

/// Immutable; every const function may be called from any thread.
class Grammar {
 public:
  Grammar();  ///< Reads the templates of data/.

  const std::vector<Intent>& intents() const { return intents_; }
  const std::map<std::string, std::vector<Frame>>& frames() const { return frames_; }

  /// `count` distinct utterances, the same for the same arguments. Train and validation draw from the same templates
  /// and share no utterance whatever the seeds; test draws from templates and frames that no other split uses. Throws
  /// std::invalid_argument when so many distinct utterances are not found.
  /// `poll` is called again and again, and may throw to end the work.
  std::vector<Utterance> generate(
      Split split, std::int64_t count, std::uint64_t seed, const std::function<void()>& poll = [] {}) const;

 private:
  void add_intent(const nlohmann::json& tool);
  void add_frames(const std::string& group, const nlohmann::json& list);
  void add_follow_up(const nlohmann::json& group);
  Utterance draw(Split split, Random& random) const;
  /// Not "none". Training draws by weight, the others all alike.
  std::size_t draw_intent(Split split, Random& random) const;
  Utterance draw_one(const Intent& intent, Split split, Random& random) const;
  Utterance draw_several(std::size_t clauses, Split split, Random& random) const;
  Utterance draw_follow_up(Split split, Random& random) const;
  /// Puts the clauses into a frame, and that perhaps into a wrap.
  Utterance framed(const std::vector<std::string>& texts, nlohmann::json calls, const std::string& ids, bool imperative,
                   Split split, Random& random) const;
  const Frame* draw_frame(const std::string& group, Split split, bool imperative, Random& random) const;

  std::vector<Intent> intents_;         ///< "none" is the last
  std::vector<std::size_t> by_weight_;  ///< indices of intents_ but "none", each as often as it weighs
  std::map<std::string, std::vector<Frame>> frames_;
  std::vector<FollowUp> follow_ups_;
};

}  // namespace retort::home
