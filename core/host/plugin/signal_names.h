// Bits of retort/abi/signals.h in words, for messages.
#pragma once

#include <cstdint>
#include <string>

namespace retort::host {

/// "TEACHER_LOGITS, LABELS", from the lowest bit on; a bit that this host has no name for as "bit 57"; "none" for 0.
std::string signal_names(std::uint64_t bits);

/// The names of those of `bits` that are not in `known`; "" where there are none.
std::string unknown_signals(std::uint64_t bits, std::uint64_t known);

}  // namespace retort::host
