// What GPTQ and SparseGPT need of a site's Hessian H [I,I] = 2·Σ x xᵀ / S: the order of columns and the factor that
// tells how the error of one column is made up for by those after it. One factor serves all modules and rows of a site.
//
// GPTQ (arXiv 2210.17323, equation 2 and algorithm 1) takes U = chol(H⁻¹), upper, and after column i does
// w_j −= (w_i − q_i)/U_ii·U_ij. Here H = R·Rᵀ with R upper triangular, so that U = R⁻¹ and nothing is inverted: the
// same steps are w'_i = w_i + Σ_{j<i} (w_j − q_j)·R_ji/R_ii with untouched w_j, and Σ_i (R_ii·(w'_i − q_i))² is the
// error (w − q)·H·(w − q) that they leave.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stdexcept>
#include <vector>

namespace retort::compression {

enum class ColumnOrder {
  stored,              ///< as the columns lie
  activation,          ///< by falling diagonal of H ("act-order")
  grouped_activation,  ///< groups by their largest diagonal, columns within a group by theirs (GPTQModel gar.py)
};

struct FactorOptions {
  double damping = .01;       ///< λ: λ·mean(diag H) is added to the diagonal
  double damping_step = .01;  ///< added to λ where H has no factor, until it has one
  ColumnOrder order = ColumnOrder::stored;
};

/// Rows of H, `stride` floats apart. Only the diagonal and one of every pair (i,j), (j,i) are read.
struct HessianView {
  const float* data = nullptr;
  std::int64_t size = 0, stride = 0;
  float at(std::int64_t i, std::int64_t j) const { return data[i * stride + j]; }
};

/// Diagonals of 0 (inputs that were never seen: "dead") count as 1; ties keep the stored order.
std::vector<std::int64_t> column_order(std::span<const double> diagonal, ColumnOrder order, std::int64_t group);

/// A Hessian without a Cholesky factor, however much it is damped.
struct SingularHessian : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// R of the damped Hessian, with columns in the order given.
struct DampedFactor {
  std::vector<double> values;  ///< [I,I], R in the upper triangle: H + λ·mean(diag H) = R·Rᵀ
  double damping = 0;          ///< λ that was used
  std::int64_t raises = 0;     ///< how often λ had to be raised
};

/// Diagonals of 0 count as 1. Throws as HessianFactor.
DampedFactor damped_factor(
    const HessianView& hessian, std::span<const std::int64_t> order, const FactorOptions& options,
    const std::function<void()>& poll = [] {});

class HessianFactor {
 public:
  /// `group`: columns that share a scale. `poll` is called about once a second of work and may throw.
  /// Throws std::invalid_argument for an element that is not finite or a negative diagonal, naming it, and
  /// SingularHessian where even λ = 1 gives no factor.
  HessianFactor(
      const HessianView& hessian, std::int64_t group, const FactorOptions& options,
      const std::function<void()>& poll = [] {});

  std::int64_t size() const { return static_cast<std::int64_t>(order_.size()); }
  const std::vector<std::int64_t>& order() const { return order_; }  ///< [I] column at each place
  const std::vector<double>& pivots() const { return pivots_; }      ///< [I] R_ii by place
  const float* ratios(std::int64_t j) const {
    return &ratios_[static_cast<std::size_t>(j * size())];
  }  ///< R_ji/R_ii, i > j
  const std::vector<float>& diagonal() const { return diagonal_; }  ///< [I] of H as given, by column
  double damping() const { return damping_; }                       ///< λ that was used
  std::int64_t raises() const { return raises_; }                   ///< how often λ had to be raised

 private:
  std::vector<std::int64_t> order_;
  std::vector<double> pivots_;
  std::vector<float> ratios_, diagonal_;
  double damping_ = 0;
  std::int64_t raises_ = 0;
};

/// a [n,n], of which the upper triangle is read, becomes R with a = R·Rᵀ in its upper triangle. False where a pivot is
/// not positive beyond rounding; `a` is spoilt then.
bool factor_upper(std::vector<double>& a, std::int64_t n, const std::function<void()>& poll = [] {});

}  // namespace retort::compression
