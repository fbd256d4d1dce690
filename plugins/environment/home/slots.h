// The values that a template's slots take: each kind draws a value and a way to say it.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "random.h"

namespace retort::home {

/// Which split a value or a template is for. Test utterances may use free text that training never shows.
enum class Split { train, validation, test };

/// Simple: few ways to say a thing, few names. Wide: as people speak, with marks (marks.h) around the values.
enum class Speech { simple, wide };

struct DrawSetting {
  Split split = Split::train;
  Speech speech = Speech::simple;
  double made_up = .25;  ///< share of wide speech's free values that are of invented words
};

struct SlotValue {
  nlohmann::json value;    ///< the argument
  std::string surface;     ///< the words in the utterance
  bool free_text = false;  ///< nothing may follow it in the same clause, as it would be part of the text
  bool several = false;    ///< `value` is an object of several arguments
};

/// Draws a value of the kind ("percent", "time", "room:blinds", …). Throws std::invalid_argument for an unknown kind.
SlotValue draw_slot(const std::string& kind, const DrawSetting& setting, Random& random);

/// Throws std::invalid_argument with the known kinds when there is no such kind.
void check_slot_kind(const std::string& kind);

}  // namespace retort::home
