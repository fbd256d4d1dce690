#include "host/run/stage_run.h"

#include <retort/abi/stage.h>

#include <chrono>

#include "host/base/log.h"
#include "host/base/numeric_environment.h"
#include "host/base/progress.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/process_end.h"
#include "host/run/inner_stage.h"
#include "host/run/interruption.h"
#include "host/run/metrics_log.h"
#include "host/run/stage_context.h"
#include "host/run/stage_services.h"

namespace retort::host {
namespace {

StageSetup make_setup(const ResolvedConfig& config, const ResolvedStage& stage, const Registry& registry,
                      const RunFolder& folder, const CacheEntry& entry, const std::vector<InputArtifact>& inputs) {
  StageSetup setup;
  setup.name = stage.name;
  setup.output_folder = folder.temporary(entry.attempt);
  setup.work_folder = folder.work(entry.attempt);
  setup.seed = stage_seed(config.seed, stage.name);
  setup.threads = config.threads;
  for (const InputArtifact& input : inputs)
    setup.inputs.push_back({input.input, input.stage, folder.artifact(input.artifact)});
  setup.components = fill_slots(registry, stage.slots);
  return setup;
}

void make_empty(const std::filesystem::path& folder) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
}

Manifest describe(const ResolvedStage& stage, const CacheEntry& entry, const std::vector<InputArtifact>& inputs) {
  Manifest manifest;
  manifest.kind = stage.produces;
  manifest.stage = stage.name;
  manifest.key = entry.key;
  manifest.recipe = entry.recipe;
  manifest.producer = {
      {"component", stage.component.id}, {"version", stage.component.version}, {"retort", product_version()}};
  manifest.inputs = inputs;
  manifest.created = utc_now();
  return manifest;
}

/// Calls run() and throws what it says.
void call_stage(const ResolvedStage& stage, const Registry& registry, const StageContext& context) {
  const Component component = make_component(registry, stage, {});
  const auto& functions = component.functions_as<retort_stage_v1>(RETORT_STAGE_INTERFACE);
  const std::string who = "stage \"" + stage.name + "\" (" + stage.component.id + ")";
  try {
    const UnaskedExit watch(who);
    keep_signal_handlers();
    retort_error* error = functions.run(component.instance(), &context.abi());
    restore_floating_point(who);
    throw_if_error(error, who);
  } catch (const PluginError& error) {
    if (error.code() == RETORT_ERROR_STOPPED && stop_requested()) throw StageInterrupted();
    throw;
  }
  context.rethrow();
}

void expect_whole(const RunFolder& folder, const std::vector<InputArtifact>& inputs, const std::string& before,
                  const std::string& after) {
  for (const InputArtifact& input : inputs)
    if (const std::string reason = input_damage(folder, input); !reason.empty())
      throw std::runtime_error(before + "\"" + input.input + "\"" + after + ": " + reason +
                               "; the next run makes that artifact anew");
}

}  // namespace

std::string input_damage(const RunFolder& folder, const InputArtifact& input) {
  try {
    const std::filesystem::path artifact = folder.artifact(input.artifact);
    const Manifest manifest = read_manifest(artifact);
    if (manifest.sha256 != input.sha256) return "'" + artifact.string() + "': another content than when it was chosen";
    return damage(artifact, manifest, Verification::full);
  } catch (const std::exception& error) {
    return error.what();
  }
}

Manifest run_stage(const ResolvedConfig& config, const ResolvedStage& stage, const Registry& registry,
                   const RunFolder& folder, const CacheEntry& entry, const std::vector<InputArtifact>& inputs,
                   bool quiet, const std::function<void(const std::string& message)>& on_exit) {
  if (stop_requested()) throw StageInterrupted();
  const UnaskedExit watch("stage \"" + stage.name + "\" (" + stage.component.id + ")", on_exit);
  expect_whole(folder, inputs, "stage \"" + stage.name + "\" cannot run: its input ", " is damaged");
  const auto start = std::chrono::steady_clock::now();
  const std::filesystem::path output = folder.temporary(entry.attempt);
  const bool resume = std::filesystem::exists(folder.work(entry.attempt));
  std::filesystem::create_directories(folder.work(entry.attempt));
  make_empty(output);
  MetricsLog metrics(folder.attempt_metrics(entry.attempt), stage.name, resume);
  Manifest manifest = describe(stage, entry, inputs);
  try {
    Progress progress(standard_error(), quiet);
    StageServices services(registry, stage, [&](const Json& inner) {
      return run_inner_stage(config, stage.name, inner, registry, folder);
    });
    const StageContext context(make_setup(config, stage, registry, folder, entry, inputs), services, &metrics,
                               &progress);
    call_stage(stage, registry, context);
    manifest.facts = context.facts();
    metrics.finish();
    expect_whole(folder, inputs, "stage \"" + stage.name + "\" is void: its input ", " was changed while it ran");
    manifest.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    seal_artifact(output, folder.artifact(entry.attempt), manifest);
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove_all(output, ignored);
    try {
      metrics.finish();
    } catch (const std::exception& error) {
      log_warning(error.what());
    }
    throw;
  }
  return manifest;
}

}  // namespace retort::host
