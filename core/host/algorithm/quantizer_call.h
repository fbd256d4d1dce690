// How the host calls a quantizer (retort.quantizer/1), in stages and in `plugins check` alike. O output rows, I input
// columns, Q groups of a row.
#pragma once

#include <retort/abi/quantizer.h>

#include <string>

#include "host/algorithm/site_view.h"

namespace retort::host {

/// Columns that share a scale: the group size, or the whole row.
std::int64_t group_width(const retort_quantize_scheme& scheme, std::int64_t columns);

/// "asymmetric 4 bits in groups of 64".
std::string name_of(const retort_quantize_scheme& scheme);

/// Borrows the component. Every function throws std::invalid_argument or std::runtime_error that names the component
/// and the site: what the component returned, or what it broke. One thread at a time.
class QuantizerCall {
 public:
  QuantizerCall(std::string id, retort_instance* instance, const retort_quantizer_v1& functions)
      : id_(std::move(id)), instance_(instance), functions_(functions) {}

  const std::string& id() const { return id_; }
  /// Checked: known signals, samples where signals are wanted.
  retort_quantize_requirements requirements() const;
  /// Checked: bits 0 or 2 to 8, a group size of at least 0.
  retort_quantize_scheme scheme(const SiteView& site) const;
  bool smooths() const;
  /// `factors` [I] f32 writable. Checked: all written, positive and finite, and equal within a head group where the
  /// producer is v.
  void smooth(const SiteView& site, const retort_tensor& factors, CallMetrics& metrics) const;
  /// `output` is allocated by the caller for `scheme`; filled with what cannot come from a quantizer before the call.
  /// Checked: codes and zero points in range, scales finite and not 0, all written.
  void quantize(const SiteView& site, std::size_t module, const retort_quantize_scheme& scheme,
                const retort_quantize_output& output, CallMetrics& metrics) const;

 private:
  std::string id_;
  retort_instance* instance_;
  const retort_quantizer_v1& functions_;
};

}  // namespace retort::host
