// Settings of numeric libraries that must stand in the environment before they are loaded, and of the processor, which
// plugins must leave as they find them.
#pragma once

#include <string>

namespace retort::host {

/// Lets OpenBLAS (LibTorch's f32 matrix products) use AVX-512 where the CPU has it: OpenBLAS 0.3.29 does not know newer
/// AMD families and falls back to its AVX2 kernels there, which are 1.6 times slower in a training step. A value that
/// the user set stays. Call it before the first training plugin is loaded, while the process has one thread.
void prepare_numeric_environment();

/// To be called after code of a plugin ran on this thread: rounding to nearest, denormal numbers kept, no traps. What
/// `who` changed is restored, with a warning that names it: it would change every result from here on. [any-thread]
void restore_floating_point(const std::string& who);

}  // namespace retort::host
