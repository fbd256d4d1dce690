// A site and its calibration statistics, as quantizers and sparsifiers see them.
#pragma once

#include <retort/abi/site.h>

#include <retort/host.hpp>
#include <retort/tensor.hpp>
#include <string_view>
#include <vector>

namespace retort {

/// I input columns, S rows. Views that were not asked for are empty.
struct SiteStatistics {
  std::int64_t rows = 0;                  ///< S
  TensorView<const float> absolute_mean;  ///< [I]
  TensorView<const float> absolute_max;   ///< [I]
  TensorView<const float> square_sum;     ///< [I]
  TensorView<const float> hessian;        ///< [I,I] 2·Σ x xᵀ / S
  TensorView<const float> samples;        ///< [S',I]
};

struct SiteModule {
  std::string_view name;
  TensorView<const float> weight;  ///< [O,I]; empty where only the shape counts
  std::int64_t rows = 0, columns = 0;
};

/// Linear modules that read the same input.
struct Site {
  std::string_view name;
  std::uint32_t producer = RETORT_PRODUCER_NONE;
  std::vector<SiteModule> modules;
  std::int64_t columns = 0;
  std::int64_t channel_group = 0, shared_heads = 1;
  SiteStatistics statistics;

  explicit Site(const retort_site& site)
      : name(to_view(site.name)),
        producer(site.producer),
        columns(site.columns),
        channel_group(site.channel_group),
        shared_heads(site.shared_heads) {
    const char* next = reinterpret_cast<const char*>(site.modules);
    for (std::uint64_t i = 0; i < site.module_count; ++i) {
      const auto& module = *reinterpret_cast<const retort_site_module*>(next);
      modules.push_back({to_view(module.name), {module.weight, "weight", 2}, module.rows, module.columns});
      next += module.struct_size;
    }
    if (site.statistics == nullptr) return;
    const retort_site_statistics& seen = *site.statistics;
    statistics.rows = seen.rows;
    statistics.absolute_mean = {seen.absolute_mean, "absolute_mean", 1};
    statistics.absolute_max = {seen.absolute_max, "absolute_max", 1};
    statistics.square_sum = {seen.square_sum, "square_sum", 1};
    statistics.hessian = {seen.hessian, "hessian", 2};
    statistics.samples = {seen.samples, "samples", 2};
  }
};

}  // namespace retort
