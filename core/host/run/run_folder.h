// A run directory: where its things lie, who may write to it, and what a killed run left behind.
//
//   run.json  metrics.jsonl  log.txt  report.html
//   artifacts/<stage>-<key12>/   finished artifacts          stages/<stage> -> ../artifacts/…   the current ones
//   work/<stage>-<key12>/        of stages not finished      metrics/<stage>-<key12>.jsonl      of each attempt
//   storage/<name>/              what outlives stages, restarts and changed configs: paid answers, what was spent
//   model -> artifacts/…         if the last stage makes a model
//   damaged/                     artifacts that failed verification, kept for inspection
#pragma once

#include <filesystem>
#include <string>

#include "host/config/stage_key.h"

namespace retort::host {

class RunFolder {
 public:
  explicit RunFolder(const std::filesystem::path& folder);
  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path record() const { return folder_ / "run.json"; }
  std::filesystem::path metrics() const { return folder_ / "metrics.jsonl"; }
  std::filesystem::path log() const { return folder_ / "log.txt"; }
  std::filesystem::path report() const { return folder_ / "report.html"; }
  std::filesystem::path artifacts() const { return folder_ / "artifacts"; }
  std::filesystem::path model_link() const { return folder_ / "model"; }
  /// "<stage>-<first 12 digits of the key>": the name of the artifact and of everything on the way to it.
  static std::string attempt(const std::string& stage, const std::string& key);
  std::filesystem::path artifact(const std::string& attempt) const { return artifacts() / attempt; }
  std::filesystem::path temporary(const std::string& attempt) const { return artifacts() / (".tmp-" + attempt); }
  std::filesystem::path work(const std::string& attempt) const { return folder_ / "work" / attempt; }
  std::filesystem::path attempt_metrics(const std::string& attempt) const {
    return folder_ / "metrics" / (attempt + ".jsonl");
  }
  std::filesystem::path stage_link(const std::string& stage) const { return folder_ / "stages" / stage; }

  /// Makes the folders. Throws std::runtime_error naming the path; std::invalid_argument when the folder holds other
  /// things than a run.
  void make() const;
  /// Removes temporary folders and files of runs that were killed. Only with the lock held.
  void remove_orphans() const;
  /// Points stages/<stage> to the artifact, atomically.
  void link_stage(const std::string& stage, const std::string& attempt) const;
  void link_model(const std::string& attempt) const;
  void unlink_model() const;
  /// What an earlier run left as its results: the link to the model, the report, the joined metrics. Nothing of it may
  /// stand there for a run that has not ended yet.
  void remove_results() const;
  /// Moves an artifact that is not what its manifest says to damaged/; returns where to.
  std::filesystem::path set_aside(const std::string& attempt) const;

 private:
  std::filesystem::path folder_;
};

/// Exclusive use of a run directory, until the object goes or the process ends in any way.
class RunLock {
 public:
  /// Throws std::runtime_error naming the process that has it.
  explicit RunLock(const RunFolder& folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// Whether some process holds the lock now.
  static bool held(const RunFolder& folder);

 private:
  int descriptor_;
};

}  // namespace retort::host
