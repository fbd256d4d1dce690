// Internal to core/grammar: which rules have a finite value at all, so that no mask ever leads to a dead end.
#pragma once

#include <cstdint>
#include <vector>

#include "grammar/schema_rules.h"

namespace retort::grammar {

/// [rules], 1 where some value fits: the least fixed point.
std::vector<std::uint8_t> productive_rules(const SchemaRules& rules);

/// Takes away the forms, members and items that no value fits.
void cut_unproductive(SchemaRules& rules, const std::vector<std::uint8_t>& productive);

}  // namespace retort::grammar
