// The values that a template's slots take: each kind draws a value and a way to say it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "random.h"

namespace retort::home {

/// Which split a value or a template is for. Test utterances may use free text that training never shows.
enum class Split { train, validation, test };

struct SlotValue {
  nlohmann::json value;    ///< the argument
  std::string surface;     ///< the words in the utterance
  bool free_text = false;  ///< nothing may follow it in the same clause, as it would be part of the text
};

/// Draws a value of the kind ("percent", "time", "room:blinds", …). Throws std::invalid_argument for an unknown kind.
SlotValue draw_slot(const std::string& kind, Split split, Random& random);

/// Throws std::invalid_argument with the known kinds when there is no such kind.
void check_slot_kind(const std::string& kind);

}  // namespace retort::home
