// The host's side of retort_stage_context: what a running stage sees of the run.
#pragma once

#include <retort/abi/stage.h>

#include <exception>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "host/base/progress.h"
#include "host/config/resolved_config.h"
#include "host/plugin/registry.h"
#include "host/run/metrics_log.h"
#include "host/run/stage_services.h"

namespace retort::host {

/// One input artifact as the stage sees it.
struct StageInputFolder {
  std::string input, stage;
  std::filesystem::path folder;
};

struct StageSetup {
  std::string name;
  std::filesystem::path output_folder, work_folder;
  std::uint64_t seed = 0;
  std::int64_t threads = 1;
  std::vector<StageInputFolder> inputs;
  std::vector<FilledSlot> components;  ///< in the config's order
};

/// Alive while the stage runs or is checked. `services`, `metrics` and `progress` outlive it; the latter two are NULL
/// where nothing is to be kept or shown. Nothing thrown crosses the ABI: a failure inside a
/// callback is kept for rethrow().
class StageContext {
 public:
  StageContext(StageSetup setup, StageServices& services, MetricsLog* metrics, Progress* progress);
  StageContext(const StageContext&) = delete;
  StageContext& operator=(const StageContext&) = delete;

  const retort_stage_context& abi() const { return abi_; }
  StageServices& services() const { return services_; }
  const Json& facts() const { return facts_; }
  /// Throws what a callback could not throw, such as a fact that is not JSON.
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  const StageInputFolder* input(retort_string name, std::uint64_t index) const;
  void fact(const std::string& name, const std::string& json);
  template <typename Body>
  void guarded(Body&& body) noexcept;

  static StageContext& self(void* context) { return *static_cast<StageContext*>(context); }
  static std::uint64_t abi_input_count(void* context, retort_string input);
  static retort_string abi_input_folder(void* context, retort_string input, std::uint64_t index);
  static retort_string abi_input_name(void* context, retort_string input, std::uint64_t index);
  static std::uint64_t abi_component_count(void* context, retort_string slot);
  static const retort_bound_component* abi_component(void* context, retort_string slot, std::uint64_t index);
  static const void* abi_get_extension(void* context, retort_string id);
  static void abi_metric(void* context, retort_string name, std::int64_t step, double value);
  static void abi_fact(void* context, retort_string name, retort_string json);
  static void abi_progress(void* context, retort_string label, std::int64_t done, std::int64_t total,
                           retort_string unit);

  StageSetup setup_;
  std::string output_folder_, work_folder_;
  StageServices& services_;
  MetricsLog* metrics_;
  Progress* progress_;
  std::map<std::string, std::vector<retort_bound_component>> components_;  ///< by slot name
  Json facts_ = Json::object();
  std::exception_ptr failure_;
  retort_stage_context abi_{};
};

}  // namespace retort::host
