// Slow, obvious f64 versions of the losses, straight from their definitions, and central differences of any function.
#pragma once

#include <functional>
#include <vector>

#include "forward_kl.h"

namespace retort::golden {

std::vector<double> softmax(const std::vector<double>& z, double temperature = 1);

/// One row's loss as forward_kl.h defines it, with probabilities formed one by one.
double reference_forward_kl(const distill::ForwardKlOptions& options, const std::vector<double>& student,
                            const distill::Row& row);

/// d f / d x_i ≈ (f(x + h·e_i) − f(x − h·e_i)) / 2h.
std::vector<double> central_differences(const std::function<double(const std::vector<double>&)>& f,
                                        std::vector<double> x, double h = 1e-5);

}  // namespace retort::golden
