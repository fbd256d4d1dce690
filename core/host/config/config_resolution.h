// Steps of resolve_config, internal to it: one stage's own keys (resolved_stage.cpp), then how stages hang together
// (stage_graph.cpp).
#pragma once

#include <string>
#include <vector>

#include "host/config/resolved_config.h"

namespace retort::host {

using Diagnostics = std::vector<Diagnostic>;

/// "did you mean "x"?" or "known: a, b, c".
std::string suggestion_for(const std::string& name, const std::vector<std::string>& candidates);

/// Letters, digits, "_", "-" and "." (not first): it becomes part of a file name.
bool is_plain_name(const std::string& name);

/// Name, component, parameters and slots of one stage entry. `inputs` stay empty; connect_stages fills them.
/// `folder`: what relative paths begin at.
ResolvedStage resolve_stage(const Json& entry, const std::string& pointer, const std::filesystem::path& folder,
                            const Registry& registry, Diagnostics& diagnostics);

/// Fills inputs, checks names and kinds, and puts the stages into an order in which they can run. `entries` are the
/// config's, index by index those of `stages`; their pointers are "/stages/<index>".
void connect_stages(const Json& entries, std::vector<ResolvedStage>& stages, Diagnostics& diagnostics);

}  // namespace retort::host
