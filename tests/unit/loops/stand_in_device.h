// A second device for tests on a machine without a GPU: LibTorch's PrivateUse1, under the name "stand_in". Its memory
// lies at addresses that the host cannot follow, so that code that reads a tensor's data without copying it crashes; an
// operation that is given tensors of both devices throws, as CUDA's do; and what it computes are the CPU's kernels'
// real numbers, so that a training on it must come out as on the CPU.
#pragma once

#include <cstdint>

namespace retort::train::testing {

/// Makes the device known to LibTorch. Any number of times.
void use_stand_in_device();

/// Operations that it has computed so far.
std::int64_t operations_on_stand_in();

}  // namespace retort::train::testing
