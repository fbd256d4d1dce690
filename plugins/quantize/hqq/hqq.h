// Half-quadratic quantisation (HQQ; mobiusml/hqq@e0b1d00 core/optimize.py): scale and zero of a group of weights from a
// robust fit, Σ|w − ŵ|^p with p < 1, that large errors of few weights pull little. No calibration data. For an
// auxiliary error e the fit alternates
//   e = sign(r)·max(0, |r| − |r|^(p−1)/β), r = w − ŵ     (shrinkage)
//   zero = mean(q − (w − e)/scale)                       (least squares of w − e over the zero)
// and β grows. The zero of hqq is a fraction and its scale stays. Model files hold whole zeros: moved by less than a
// half they do not move, so that here the scale may follow too, scale = Σ(w − e)·(q − zero)/Σ(q − zero)², least squares
// again.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "code_grid.h"

namespace retort::quantize {

struct HalfQuadraticOptions {
  double norm = .7;      ///< p
  double penalty = 10;   ///< β at first
  double growth = 1.01;  ///< κ: of β at each iteration
  std::int64_t iterations = 20;
  bool fit_scale = false;
};

/// w ≈ scale·(q − zero), q in [0, highest].
struct AffineGroup {
  double scale = 1, zero = 0;
};

struct HalfQuadraticFit {
  AffineGroup group;           ///< the best that was tried, the start among them
  std::vector<double> errors;  ///< mean |w − ŵ| at each iteration; the last is not better than the best before it, or
                               ///< there were no iterations left
};

/// `stored` turns what the fit asks for into what a file can hold, before errors are taken.
HalfQuadraticFit half_quadratic(std::span<const float> weights, const AffineGroup& start, double highest,
                                const HalfQuadraticOptions& options,
                                const std::function<AffineGroup(const AffineGroup&)>& stored);

/// (w − ŵ)ᵀ·H·(w − ŵ) of one row, with H [I,I] given row by row: the squared error of its output, summed over
/// calibration.
double output_error(std::span<const float> weights, const CodedRow& row,
                    const std::function<std::span<const float>(std::int64_t)>& hessian);

/// One row of an asymmetric grid, from its range on; whole zeros, scales as the grid stores them. Returns the number of
/// iterations. Throws std::invalid_argument for a symmetric grid or a weight that is not finite.
std::int64_t half_quadratic_row(std::span<const float> weights, const CodeGrid& grid,
                                const HalfQuadraticOptions& options, CodedRow& row);

}  // namespace retort::quantize
