// What components and stages say of a config before any work: constructors, tables, and each stage's check(). In a
// child process, so that a crash is a finding too.
#pragma once

#include <string>
#include <vector>

#include "host/config/resolved_config.h"

namespace retort::host {

/// Makes every component of `config`, nested ones included, and lets each stage check what stands in its slots; looks
/// whether the variables of parameters of format secret-env are set. Returns every finding with its pointer. `seconds`
/// bound a child's life; after a crash or a hang a new child goes on with the next stage. Throws std::runtime_error if
/// no child can be started.
std::vector<Diagnostic> check_stages(const ResolvedConfig& config, const Registry& registry, double seconds = 120);

/// The same as an exception: throws ConfigError where there are findings. A finding that begins with "note: " is no
/// mistake: it goes to the log.
void require_sound_stages(const ResolvedConfig& config, const Registry& registry);

/// The child's side, from stage `first` on: reads the job from standard input, writes a JSON object a line to
/// `descriptor`.
int check_stages_in_this_process(std::size_t first, int descriptor);

}  // namespace retort::host
