// Central differences of any function, for gradients in f64.
#pragma once

#include <functional>
#include <vector>

namespace retort::golden {

/// d f / d x_i ≈ (f(x + h·e_i) − f(x − h·e_i)) / 2h.
inline std::vector<double> central_differences(const std::function<double(const std::vector<double>&)>& f,
                                               std::vector<double> x, double h = 1e-5) {
  std::vector<double> gradient;
  for (double& value : x) {
    const double at = value;
    value = at + h;
    const double above = f(x);
    value = at - h;
    gradient.push_back((above - f(x)) / (2 * h));
    value = at;
  }
  return gradient;
}

}  // namespace retort::golden
