// The kinds of slots as wide speech fills them, in place of those of slots.cpp or beside them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "slots.h"

namespace retort::home {

/// A value with marks around its words, or nothing for a kind that wide speech leaves to slots.cpp.
std::optional<SlotValue> draw_wide_slot(const std::string& kind, const DrawSetting& setting, Random& random);
std::vector<std::string> wide_slot_kinds();

}  // namespace retort::home
