// A site as the ABI sees it (retort/abi/site.h), assembled from what the caller holds. Borrows every tensor.
#pragma once

#include <retort/abi/site.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace retort::host {

/// Numbers that a component reported during a call, by name.
using CallMetrics = std::map<std::string, double>;

/// A sink that writes into `metrics`, which must outlive it.
retort_metric_sink sink_into(CallMetrics& metrics);

/// The statistics that quantizers and sparsifiers may ask for.
inline constexpr std::uint64_t site_signals = RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN | RETORT_SIGNAL_INPUT_ABSOLUTE_MAX |
                                              RETORT_SIGNAL_INPUT_SQUARE_SUM | RETORT_SIGNAL_INPUT_HESSIAN |
                                              RETORT_SIGNAL_INPUT_SAMPLES;

struct SiteModuleView {
  std::string name;  ///< Hugging Face name without ".weight"
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const retort_tensor* weight = nullptr;  ///< [rows,columns] f32; NULL where only the shape counts
};

struct SiteView {
  std::string name;
  std::uint32_t producer = RETORT_PRODUCER_NONE;
  std::int64_t columns = 0;        ///< I
  std::int64_t channel_group = 0;  ///< head_dim with PRODUCER_VALUE
  std::int64_t shared_heads = 1;   ///< H/K with PRODUCER_VALUE
  std::vector<SiteModuleView> modules;
  std::optional<retort_site_statistics> statistics;
};

/// The struct that crosses the boundary; valid as long as it and the view live unchanged.
class AbiSite {
 public:
  explicit AbiSite(const SiteView& view);
  AbiSite(const AbiSite&) = delete;
  AbiSite& operator=(const AbiSite&) = delete;
  const retort_site* get() const { return &site_; }

 private:
  std::vector<retort_site_module> modules_;
  retort_site site_{};
};

/// Checks what a component of sites asks for. Throws std::invalid_argument, naming the component: signals of another
/// interface, no samples though signals are wanted.
void check_site_requirements(const std::string& id, std::uint64_t signals, std::int64_t samples);

}  // namespace retort::host
