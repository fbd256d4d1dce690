// A folder for one test, a registry with the test stages, and short ways to write and run configs.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/base/log.h"
#include "host/config/resolved_config.h"
#include "host/plugin/plugin_error.h"
#include "host/run/metrics_log.h"
#include "host/run/pipeline.h"

namespace retort::host {

class PipelineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "retort-test-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    start_log(true);
    clear_stop_request();
  }
  void TearDown() override {
    clear_stop_request();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  /// The test stages only; scanned once for all tests of the process.
  static const Registry& registry() {
    static const Registry shared(search());
    return shared;
  }
  static SearchOptions search() {
    SearchOptions options;
    options.libraries = {TEST_STAGES_PLUGIN};
    options.environment = false;
    options.allow_writable = true;
    options.cache_folder = std::filesystem::temp_directory_path() / ("retort-test-cache-" + std::to_string(::getuid()));
    return options;
  }

  /// source → count → quick (teacher: count) → report
  static Json chain() {
    return Json::parse(R"({"name": "chain", "seed": 7, "stages": [
      {"name": "source", "use": "stage.test_source"},
      {"name": "count", "use": "stage.test_count", "inputs": {"dataset": "source"}},
      {"name": "report", "use": "stage.test_report", "inputs": {"models": ["count", "quick"]}},
      {"name": "quick", "use": "stage.test_count", "inputs": {"dataset": "source", "teacher": "count"}, "steps": 2}]})");
  }

  std::filesystem::path write_config(const Json& json) const {
    write_json(folder_ / "config.json", json);
    return folder_ / "config.json";
  }
  ResolvedConfig resolve(const Json& json, const std::vector<std::string>& overrides = {}) const {
    std::vector<Diagnostic> diagnostics;
    const Config config = load_config(write_config(json), overrides, diagnostics);
    ResolvedConfig resolved = resolve_config(config, registry(), diagnostics);
    if (!diagnostics.empty()) throw ConfigError(config.file, diagnostics);
    return resolved;
  }
  std::vector<Diagnostic> diagnose(const Json& json, const std::vector<std::string>& overrides = {}) const {
    try {
      resolve(json, overrides);
      return {};
    } catch (const ConfigError& error) {
      return error.diagnostics();
    }
  }
  RunFolder run_folder(const std::string& name = "run") const { return RunFolder(folder_ / name); }
  RunEnd run(const Json& json, const std::vector<std::string>& overrides = {}, const std::string& name = "run",
             Verification verification = Verification::sizes) const {
    return run_pipeline(resolve(json, overrides), registry(), run_folder(name), {verification, true});
  }
  Json record(const std::string& name = "run") const { return read_json(run_folder(name).record()); }
  std::string stage_state(const std::string& stage, const std::string& name = "run") const {
    const Json json = record(name);
    for (const Json& entry : json["stages"])
      if (entry["name"] == stage) return entry["state"];
    return "";
  }
  /// Content hashes of all stages' artifacts.
  std::vector<std::string> hashes(const std::string& name = "run") const {
    std::vector<std::string> all;
    const Json json = record(name);
    for (const Json& entry : json["stages"])
      all.push_back(entry["name"].get<std::string>() + " " +
                    read_manifest(run_folder(name).stage_link(entry["name"])).sha256);
    return all;
  }
  /// Every (stage, name, step) of metrics.jsonl; fails the test on a line that comes twice.
  std::set<std::string> metric_keys(const std::string& name = "run") const {
    std::set<std::string> keys;
    for (const Json& metric : read_metrics(run_folder(name).metrics()))
      EXPECT_TRUE(keys.insert(Json{metric["stage"], metric["name"], metric["step"]}.dump()).second) << metric.dump();
    return keys;
  }

  std::filesystem::path folder_;
};

/// Whether some finding is at `pointer` and says `text`.
inline bool finds(const std::vector<Diagnostic>& diagnostics, const std::string& pointer, const std::string& text) {
  for (const Diagnostic& diagnostic : diagnostics)
    if (diagnostic.pointer == pointer && to_string(diagnostic).find(text) != std::string::npos) return true;
  return false;
}

}  // namespace retort::host
