// One template of the grammar, parsed: a tree of words, slots and choices that can be drawn from.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "slots.h"

namespace retort::home {

/// Words, a slot, or a choice between sequences. A leaf has no choices.
struct Piece {
  enum class Kind { words, slot, choice };
  Kind kind = Kind::words;
  std::string text;                         ///< the words, or the slot's name
  std::string slot_kind;                    ///< of a slot
  std::vector<std::vector<Piece>> choices;  ///< an empty sequence among them makes the choice optional
};

/// A clause as it was drawn.
struct Clause {
  std::string text;
  nlohmann::json arguments = nlohmann::json::object();
  bool ends_in_free_text = false;
};

class ClauseTemplate {
 public:
  /// `kinds` gives each slot's kind. `fixed` are arguments that the wording implies. Throws std::invalid_argument:
  /// the template, what was expected.
  ClauseTemplate(std::string id, std::string_view text, const std::map<std::string, std::string>& kinds,
                 nlohmann::json fixed, bool test_only, bool imperative);

  const std::string& id() const { return id_; }
  bool test_only() const { return test_only_; }
  bool imperative() const { return imperative_; }
  Clause draw(Split split, Random& random) const;

 private:
  std::string id_;
  std::vector<Piece> pieces_;
  nlohmann::json fixed_;
  bool test_only_;
  bool imperative_;
};

}  // namespace retort::home
