#include "host/run/pipeline.h"

#include <chrono>
#include <exception>
#include <retort/host.hpp>

#include "host/base/log.h"
#include "host/base/progress.h"
#include "host/plugin/plugin_error.h"
#include "host/report/event_file.h"
#include "host/report/report.h"
#include "host/run/metrics_log.h"
#include "host/run/run_record.h"
#include "host/run/run_storage.h"
#include "host/run/stage_cache.h"
#include "host/run/stage_run.h"

namespace retort::host {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// The artifacts that a stage reads, given the manifests of all stages before it.
std::vector<InputArtifact> inputs_of(const ResolvedConfig& config, const ResolvedStage& stage,
                                     const std::vector<std::optional<Manifest>>& made) {
  std::vector<InputArtifact> inputs;
  for (const ResolvedInput& input : stage.inputs)
    for (const std::size_t source : input.stages) {
      const Manifest& manifest = *made[source];
      const std::string& name = config.stages[source].name;
      inputs.push_back({input.name, name, RunFolder::attempt(name, manifest.key), manifest.sha256});
    }
  return inputs;
}

class Pipeline {
 public:
  Pipeline(const ResolvedConfig& config, const Registry& registry, const RunFolder& folder, const RunOptions& options)
      : config_(config),
        registry_(registry),
        folder_(folder),
        options_(options),
        record_(folder, config),
        made_(config.stages.size()) {}

  RunEnd run() {
    log_info("run " + config_.name + " in " + folder_.path().string() + ": " + std::to_string(config_.stages.size()) +
             " stages, seed " + std::to_string(config_.seed) + ", threads " + std::to_string(config_.threads));
    const Clock::time_point start = start_;
    RunEnd end = RunEnd::complete;
    folder_.remove_results();
    try {
      for (std::size_t i = 0; i < config_.stages.size() && end == RunEnd::complete; ++i) end = stage(i);
      finish({{"state", end == RunEnd::complete ? "complete" : "interrupted"}}, start);
    } catch (const std::exception& error) {
      // What went wrong first is what counts; a full disk may well keep run.json from saying so.
      const std::exception_ptr first = std::current_exception();
      log_debug(std::string("the run failed: ") + error.what());  // the command says so on stderr
      try {
        finish({{"state", "failed"}, {"error", error.what()}}, start);
      } catch (const std::exception& second) {
        log_warning(std::string("the run record is not up to date: ") + second.what());
      }
      std::rethrow_exception(first);
    }
    return end;
  }

 private:
  /// Makes stages anew whose artifacts, read by the stage at `index`, are not what their manifests say. False when the
  /// user stopped it.
  bool mend_inputs(std::size_t index) {
    const ResolvedStage& stage = config_.stages[index];
    for (const ResolvedInput& input : stage.inputs)
      for (const std::size_t source : input.stages) {
        if (stop_requested()) return false;
        const Manifest& manifest = *made_[source];
        const std::string attempt = RunFolder::attempt(config_.stages[source].name, manifest.key);
        const std::string reason = damage(folder_.artifact(attempt), manifest, Verification::full);
        if (reason.empty()) continue;
        log_warning(reason + "; set aside as " + folder_.set_aside(attempt).string());
        made_[source].reset();
        if (this->stage(source) == RunEnd::interrupted) return false;
      }
    return true;
  }

  CacheEntry look_up_stage(const ResolvedStage& stage, const std::vector<InputArtifact>& inputs) const {
    return look_up(folder_, stage.name, stage_recipe(config_, stage, inputs), options_.verification);
  }

  /// Files that parameters name are hashed before a stage runs, gigabytes among them: the user may stop that too.
  RunEnd stage(std::size_t index) {
    try {
      return make_or_reuse(index);
    } catch (const Stopped&) {
      record_.stage(index, {{"state", "interrupted"}});
      return RunEnd::interrupted;
    }
  }

  RunEnd make_or_reuse(std::size_t index) {
    const ResolvedStage& stage = config_.stages[index];
    const std::string title =
        "[" + std::to_string(index + 1) + "/" + std::to_string(config_.stages.size()) + "] " + stage.name;
    const Clock::time_point start = Clock::now();
    std::vector<InputArtifact> inputs = inputs_of(config_, stage, made_);
    CacheEntry entry = look_up_stage(stage, inputs);
    if (entry.state != CacheEntry::State::cached) {
      if (!mend_inputs(index)) return RunEnd::interrupted;
      inputs = inputs_of(config_, stage, made_);
      entry = look_up_stage(stage, inputs);
    }
    if (entry.state == CacheEntry::State::cached) {
      log_info(title + ": cached, " + entry.attempt);
      made_[index] = std::move(entry.manifest);
    } else {
      log_info(title + " (" + stage.component.id + "): " + entry.reason);
      if (entry.state == CacheEntry::State::damaged)
        log_warning("set aside as " + folder_.set_aside(entry.attempt).string());
      record_.stage(index, {{"state", "running"}, {"key", entry.key}});
      if (!make(index, entry, inputs)) return RunEnd::interrupted;
      log_info(title + ": done in " + format_duration(seconds_since(start)));
    }
    const bool cached = entry.state == CacheEntry::State::cached;
    folder_.link_stage(stage.name, entry.attempt);
    std::filesystem::remove_all(folder_.work(entry.attempt));
    record_.stage(index, {{"state", cached ? "cached" : "complete"},
                          {"key", entry.key},
                          {"artifact", entry.attempt},
                          {"seconds", made_[index]->seconds}});
    return RunEnd::complete;
  }

  /// False when the user stopped it.
  bool make(std::size_t index, const CacheEntry& entry, const std::vector<InputArtifact>& inputs) {
    try {
      made_[index] = run_stage(config_, config_.stages[index], registry_, folder_, entry, inputs, options_.quiet,
                               [&](const std::string& message) { exited(index, message); });
      return true;
    } catch (const StageInterrupted&) {
      record_.stage(index, {{"state", "interrupted"}});
      return false;
    } catch (const std::exception& error) {
      try {
        record_.stage(index, {{"state", "failed"}, {"error", error.what()}});
      } catch (const std::exception& second) {
        log_warning(second.what());
      }
      throw;
    }
  }

  /// The process ends inside the stage, and nothing else will say so.
  void exited(std::size_t index, const std::string& message) {
    record_.stage(index, {{"state", "failed"}, {"error", message}});
    finish({{"state", "failed"}, {"error", message}}, start_);
  }

  void finish(Json fields, Clock::time_point start) {
    join();
    const ResolvedStage& last = config_.stages.back();
    if (made_.back() && last.produces == "model")
      folder_.link_model(RunFolder::attempt(last.name, made_.back()->key));
    else
      folder_.unlink_model();
    fields["finished"] = utc_now();
    fields["seconds"] = seconds_since(start);
    record_.update(fields);
    write_report(folder_);
    write_event_files(folder_);
  }

  /// The run's metrics.jsonl from those of its stages.
  void join() const {
    std::vector<std::filesystem::path> sources;
    for (const Json& stage : record_.json()["stages"])
      if (stage.contains("key"))
        sources.push_back(folder_.attempt_metrics(RunFolder::attempt(stage["name"], stage["key"])));
    join_metrics(sources, folder_.metrics());
  }

  const ResolvedConfig& config_;
  const Registry& registry_;
  const RunFolder& folder_;
  const RunOptions& options_;
  RunRecord record_;
  const Clock::time_point start_ = Clock::now();
  std::vector<std::optional<Manifest>> made_;
};

}  // namespace

RunEnd run_pipeline(const ResolvedConfig& config, const Registry& registry, const RunFolder& folder,
                    const RunOptions& options) {
  folder.make();
  const RunLock lock(folder);
  folder.remove_orphans();
  const LogFile log(folder.log());
  const RunStorage storage(folder);
  return Pipeline(config, registry, folder, options).run();
}

std::vector<PlannedStage> plan_pipeline(const ResolvedConfig& config, const RunFolder& folder,
                                        Verification verification) {
  std::vector<PlannedStage> plan;
  std::vector<std::optional<Manifest>> made(config.stages.size());
  for (std::size_t i = 0; i < config.stages.size(); ++i) {
    const ResolvedStage& stage = config.stages[i];
    PlannedStage planned{stage.name, stage.component.id, "run", "", ""};
    for (const ResolvedInput& input : stage.inputs)
      for (const std::size_t source : input.stages)
        if (!made[source] && planned.reason.empty())
          planned.reason = "its input " + config.stages[source].name + " will be made anew";
    if (planned.reason.empty()) {
      CacheEntry entry =
          look_up(folder, stage.name, stage_recipe(config, stage, inputs_of(config, stage, made)), verification);
      planned.reason = entry.reason;
      if (entry.state == CacheEntry::State::resume) planned.action = "resume";
      if (entry.state == CacheEntry::State::cached) {
        planned.action = "cached";
        planned.artifact = folder.artifact(entry.attempt).string();
        made[i] = std::move(entry.manifest);
      }
    }
    plan.push_back(std::move(planned));
  }
  return plan;
}

}  // namespace retort::host
