// retort.host.stages/1: what a running stage may ask for beyond its inputs: more components, other stages.
#pragma once

#include <retort/abi/host_stages.h>

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "host/config/resolved_config.h"

namespace retort::host {

/// Of one stage, as long as it runs or is checked.
class StageServices {
 public:
  /// Runs a stage {"name", "use", …, "inputs": {name: folder or [folders]}}; returns its artifact's folder.
  using RunStage = std::function<std::filesystem::path(const Json& stage)>;

  /// `registry` and `stage` outlive the object. Without `run_stage`, run() refuses: the config is only checked.
  StageServices(const Registry& registry, const ResolvedStage& stage, RunStage run_stage)
      : registry_(registry), stage_(stage), run_stage_(std::move(run_stage)) {}
  StageServices(const StageServices&) = delete;
  StageServices& operator=(const StageServices&) = delete;

  /// Component `index` of `slot` again, `parameters` (a JSON object) replacing the config's values of the same keys.
  /// Lives until destroy() or as long as this object. Throws std::invalid_argument with every finding, PluginError.
  /// [any-thread]
  const retort_bound_component* create(const std::string& slot, std::uint64_t index, const std::string& parameters);
  /// Does nothing for NULL; throws std::invalid_argument for what create() did not return. [any-thread]
  void destroy(const retort_bound_component* component);
  /// [the thread of run()]
  std::string run(const std::string& stage);

  /// The extension's table; its functions find the services through the context that they are called with.
  static const retort_host_stages_v1& table();

 private:
  struct Made {
    FilledSlot slot;
    retort_bound_component bound;
  };
  const Registry& registry_;
  const ResolvedStage& stage_;
  RunStage run_stage_;
  std::mutex mutex_;
  std::map<const retort_bound_component*, std::unique_ptr<Made>> made_;
};

/// Every finding as one text, a line each.
std::string listed(const std::string& what, const std::vector<Diagnostic>& diagnostics);

}  // namespace retort::host
