// Slow, obvious f64 versions of the losses, straight from their definitions.
#pragma once

#include <vector>

#include "central_differences.h"
#include "forward_kl.h"

namespace retort::golden {

std::vector<double> softmax(const std::vector<double>& z, double temperature = 1);

/// One row's loss as forward_kl.h defines it, with probabilities formed one by one.
double reference_forward_kl(const distill::ForwardKlOptions& options, const std::vector<double>& student,
                            const distill::Row& row);

}  // namespace retort::golden
