// How the host calls a sparsifier (retort.sparsifier/1), in stages and in `plugins check` alike.
#pragma once

#include <retort/abi/sparsifier.h>

#include <string>

#include "host/algorithm/site_view.h"

namespace retort::host {

/// Borrows the component. Functions throw std::invalid_argument or std::runtime_error that names the component and the
/// module. One thread at a time.
class SparsifierCall {
 public:
  SparsifierCall(std::string id, retort_instance* instance, const retort_sparsifier_v1& functions)
      : id_(std::move(id)), instance_(instance), functions_(functions) {}

  const std::string& id() const { return id_; }
  /// Checked: known signals, samples where signals are wanted.
  retort_sparsify_requirements requirements() const;
  /// `mask` [O,I] uint8 and `weight` [O,I] f32, both writable, become the module's. Checked: every mask element is 0
  /// or 1, every weight that stays is finite. What the mask drops is 0 afterwards. Returns the number of zeros of the
  /// mask.
  std::int64_t sparsify(const SiteView& site, std::size_t module, const retort_tensor& mask,
                        const retort_tensor& weight, CallMetrics& metrics) const;

 private:
  std::string id_;
  retort_instance* instance_;
  const retort_sparsifier_v1& functions_;
};

}  // namespace retort::host
