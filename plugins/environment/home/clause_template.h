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
  std::string text;                                  ///< with marks in wide speech
  nlohmann::json values = nlohmann::json::object();  ///< of the slots, and what the wording implies
  std::vector<std::string> copied;  ///< JSON pointers into `values`: where the text's copied spans belong, in order
  bool ends_in_free_text = false;
};

/// How data.h's files describe a template.
struct TemplateSource {
  std::string id;
  std::string say;
  std::map<std::string, std::string> kinds;             ///< of slots
  nlohmann::json arguments = nlohmann::json::object();  ///< what the wording implies
  nlohmann::json calls;                                 ///< null: the tool's own call; else a list with "{slot}"
  bool test_only = false;
  bool imperative = true;
  bool indirect = false;  ///< it says what is the matter, not what to do
};

class ClauseTemplate {
 public:
  /// Throws std::invalid_argument: the template, what was expected.
  explicit ClauseTemplate(TemplateSource source);

  const std::string& id() const { return source_.id; }
  bool test_only() const { return source_.test_only; }
  bool imperative() const { return source_.imperative; }
  bool indirect() const { return source_.indirect; }
  const std::vector<Piece>& pieces() const { return pieces_; }
  /// Two slots of one kind never get the same value.
  Clause draw(const DrawSetting& setting, Random& random) const;
  /// What the values mean: `tool`'s call with all of them but those whose names begin with "_", or the template's own
  /// calls. `tool` "none" gives no call.
  nlohmann::json calls(const std::string& tool, const nlohmann::json& values) const;

 private:
  TemplateSource source_;
  std::vector<Piece> pieces_;
};

}  // namespace retort::home
