// A site with seeded weights and calibration rows, for the checks of quantizers and sparsifiers. The rows are
// correlated, a few channels are large, one never fires and one row of weights is 0: what real layers do to a method.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "host/algorithm/site_view.h"
#include "host/plugin/conformance_tensor.h"

namespace retort::host {

/// Names and shapes alone of the site that SeededSite fills.
SiteView seeded_shape(std::uint32_t producer, std::int64_t columns);

/// O output rows, I input columns, S calibration rows. Statistics are sums over the rows in plain loops.
class SeededSite {
 public:
  /// `producer` decides the kind: NORM a q/k/v site, VALUE an o site (head_dim 32, two query heads a kv head), UP a
  /// down site. `columns` is a multiple of 64.
  SeededSite(std::uint32_t producer, std::int64_t columns);

  SiteView shape() const { return seeded_shape(producer_, columns_); }
  /// With the weights, and those statistics that `signals` names. Valid until the next call.
  SiteView view(std::uint64_t signals);
  /// What the host does to a smoothed site: rows and statistics are divided, the weights' columns multiplied.
  void smooth(const OwnedTensor<float>& factors);

  std::int64_t columns() const { return columns_; }
  const OwnedTensor<float>& weight(std::size_t module) const { return *weights_[module]; }
  /// Σ_s (e·x_s)² of an error `e` [I] of one row of weights: its squared error at the output.
  double output_error(const std::vector<double>& error) const;

 private:
  void measure_columns();
  void measure_products();

  std::uint32_t producer_;
  std::int64_t columns_;
  std::vector<std::unique_ptr<OwnedTensor<float>>> weights_;
  OwnedTensor<float> samples_, mean_, maximum_, squares_, hessian_;
  bool has_products_ = false;  ///< the Hessian is that of the rows as they are
};

}  // namespace retort::host
