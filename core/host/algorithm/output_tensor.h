// Tensors that a component is to write: filled with NaN before the call, looked through after it.
#pragma once

#include <retort/abi/base.h>

#include <string>

namespace retort::host {

/// Fills a writable f32 tensor of up to 4 dimensions with NaN.
void fill_with_nan(const retort_tensor& tensor);

/// Throws std::runtime_error, beginning with `what`, for the first element that is not finite; one that nobody wrote is
/// still NaN.
void expect_written(const retort_tensor& tensor, const std::string& what);

}  // namespace retort::host
