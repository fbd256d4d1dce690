#include "host/algorithm/site_view.h"

#include <stdexcept>

#include "host/plugin/plugin_error.h"
#include "host/plugin/signal_names.h"

namespace retort::host {

retort_metric_sink sink_into(CallMetrics& metrics) {
  return {sizeof(retort_metric_sink), 0, &metrics, [](void* context, retort_string name, double value) {
            (*static_cast<CallMetrics*>(context))[to_std(name)] = value;
          }};
}

AbiSite::AbiSite(const SiteView& view) {
  for (const SiteModuleView& module : view.modules)
    modules_.push_back(
        {sizeof(retort_site_module), 0, to_abi(module.name), module.weight, module.rows, module.columns});
  site_.struct_size = sizeof site_;
  site_.producer = view.producer;
  site_.name = to_abi(view.name);
  site_.modules = modules_.data();
  site_.module_count = modules_.size();
  site_.columns = view.columns;
  site_.channel_group = view.channel_group;
  site_.shared_heads = view.shared_heads;
  site_.statistics = view.statistics ? &*view.statistics : nullptr;
}

void check_site_requirements(const std::string& id, std::uint64_t signals, std::int64_t samples) {
  if ((signals & ~site_signals) != 0)
    throw std::invalid_argument(id + " asks for " + signal_names(signals & ~site_signals) + ", expected only " +
                                signal_names(site_signals));
  if (samples < 0)
    throw std::invalid_argument(id + " asks for " + std::to_string(samples) + " calibration rows, expected at least 0");
  if (signals != 0 && samples == 0)
    throw std::invalid_argument(id + " asks for " + signal_names(signals) +
                                " and for 0 calibration rows, expected at least 1");
}

}  // namespace retort::host
