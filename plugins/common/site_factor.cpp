// See site_factor.h.
#include "site_factor.h"

#include <algorithm>
#include <functional>
#include <stdexcept>
#include <string_view>

namespace retort::compression {

namespace {

/// Tells sites apart, so that the modules of one share a factor.
std::string fingerprint(const Site& site, std::int64_t group) {
  std::size_t hash = 0;
  for (std::int64_t i = 0; i < site.statistics.hessian.rows(); ++i) {
    const auto* bytes = reinterpret_cast<const char*>(site.statistics.hessian.row(i));
    const std::string_view row(bytes, static_cast<std::size_t>(site.statistics.hessian.columns()) * sizeof(float));
    hash = hash * 1099511628211U + std::hash<std::string_view>()(row);
  }
  return std::string(site.name) + "/" + std::to_string(group) + "/" + std::to_string(hash);
}

}  // namespace

const HessianFactor& SiteFactor::of(const Site& site, std::int64_t columns, std::int64_t group) {
  const std::string name(site.name);
  try {
    expect_shape(site.statistics.hessian, "hessian", columns, columns);
    std::string key = fingerprint(site, group);
    if (factor_ && key == key_) return *factor_;
    factor_.reset();
    const TensorView<const float>& hessian = site.statistics.hessian;
    const HessianView view{hessian.row(0), columns, columns > 1 ? hessian.row(1) - hessian.row(0) : 1};
    factor_ = std::make_unique<const HessianFactor>(view, group, options_, [] { throw_if_stopped(); });
    key_ = std::move(key);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(name + ": " + error.what());
  } catch (const SingularHessian& error) {
    throw std::runtime_error(name + ": " + error.what());
  }
  if (factor_->raises() > 0)
    log_warning(name + ": the Hessian has no Cholesky factor with a damping of " + std::to_string(options_.damping) +
                "; raised to " + std::to_string(factor_->damping()));
  const std::vector<float>& diagonal = factor_->diagonal();
  if (std::all_of(diagonal.begin(), diagonal.end(), [](float value) { return value == 0; }))
    log_warning(name + ": no calibration row reaches its input, so that every column counts the same");
  return *factor_;
}

}  // namespace retort::compression
