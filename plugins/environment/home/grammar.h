// The grammar of requests to the home: deterministic utterances with the calls that they mean.
#pragma once

#include <cstdint>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "grammar_data.h"
#include "surface.h"

namespace retort::home {

struct Utterance {
  std::string text;
  nlohmann::json calls = nlohmann::json::array();  ///< [{"name": …, "arguments": {…}}]; empty: no tool answers
  std::string template_id;                         ///< frame and clauses, "pair.02(light_dim.03+fan_set.01)"
  /// "none" without a call; else "several" requests; else "indirect", what is the matter in place of what to do; else
  /// "surface", capitals, fillers, abbreviations, missing apostrophes or slips; else "free text"; else "plain".
  std::string kind;
};

struct GrammarOptions {
  Speech speech = Speech::simple;
  /// The rest concerns wide speech only. Shares in [0, 1].
  double none = .2;      ///< utterances that no tool answers
  double several = .24;  ///< utterances with several requests
  double made_up = .25;  ///< free values of invented words
  SurfaceOptions surface;
};

/// Immutable; every const function may be called from any thread.
class Grammar {
 public:
  explicit Grammar(GrammarOptions options = {});  ///< Reads the templates of data/.

  const GrammarData& data() const { return data_; }

  /// `count` distinct utterances, the same for the same arguments. No two splits share an utterance whatever the seeds:
  /// test draws from templates and frames that no other split uses; in wide speech a hash of the utterance parts all
  /// three as well, as it parts train and validation in simple speech. Throws std::invalid_argument when so many
  /// distinct utterances are not found.
  /// `poll` is called again and again, and may throw to end the work, as `take` may. What `take` got by then stands.
  /// Holds 64 bits of each utterance, not the utterances.
  void generate(
      Split split, std::int64_t count, std::uint64_t seed, const std::function<void(Utterance utterance)>& take,
      const std::function<void()>& poll = [] {}) const;
  /// The same, all at once.
  std::vector<Utterance> generate(Split split, std::int64_t count, std::uint64_t seed) const;

 private:
  /// One request of an utterance.
  struct Part {
    const ClauseTemplate* source;
    std::string tool;
    Clause clause;
    bool taken_back = false;  ///< "… no wait, …"
  };
  struct Draft {
    std::string text;
    std::string id;
    std::vector<Part> parts;  ///< in the order of the text
  };

  DrawSetting setting(Split split) const { return {split, options_.speech, options_.made_up}; }
  Utterance draw_simple(Split split, Random& random) const;
  Utterance draw_wide(Split split, Random& random) const;
  Part draw_part(const Intent& intent, Split split, Random& random) const;
  /// Training draws by weight, the others all alike.
  const Intent& draw_tool(Split split, Random& random) const;
  const Intent& draw_none(bool beside_others, Random& random) const;
  Draft draw_one(const Intent& intent, Split split, Random& random) const;
  Draft draw_several(std::size_t clauses, Split split, Random& random) const;
  /// A request that is taken back, and the one that is meant.
  Draft draw_corrected(Split split, Random& random) const;
  Draft draw_follow_up(Split split, Random& random) const;
  /// Puts the clauses into a frame, and that perhaps into a wrap.
  Draft framed(const std::string& group, std::vector<Part> parts, Split split, Random& random) const;
  static std::string kind_of(const Draft& draft, const nlohmann::json& calls, bool noisy);
  const Frame* draw_frame(const std::string& group, Split split, bool imperative, Random& random) const;

  GrammarOptions options_;
  GrammarData data_;
  std::vector<std::size_t> by_weight_;  ///< indices of tools, each as often as it weighs
};

}  // namespace retort::home
