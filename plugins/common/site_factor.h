// The factor of a site's Hessian, made once for all modules of the site, with what may be wrong with the Hessian said
// under the site's name.
#pragma once

#include <cstdint>
#include <memory>
#include <retort/site.hpp>
#include <string>

#include "hessian_factor.h"

namespace retort::compression {

class SiteFactor {
 public:
  explicit SiteFactor(const FactorOptions& options) : options_(options) {}

  /// Of the site's Hessian [columns, columns]; `group` as HessianFactor has it. A damping that had to be raised is
  /// logged as a warning. Throws std::invalid_argument where the Hessian is missing, of another shape or no Hessian,
  /// and std::runtime_error where it stays singular whatever the damping; both name the site. Polls should_stop().
  const HessianFactor& of(const Site& site, std::int64_t columns, std::int64_t group);

 private:
  FactorOptions options_;
  std::unique_ptr<const HessianFactor> factor_;
  std::string key_;
};

}  // namespace retort::compression
