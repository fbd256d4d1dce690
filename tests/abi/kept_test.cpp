// Plugins that were built with the SDK of an earlier version, as they were shipped, keep working: each passes the
// contract's checks, and a run uses them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "host/base/files.h"
#include "host/base/log.h"
#include "host/plugin/conformance.h"
#include "host/run/pipeline.h"
#include "host/run/stage_check.h"

namespace retort::host {
namespace {

namespace fs = std::filesystem;

/// "today" is kept_plugin.cpp as this build has it.
std::vector<std::string> versions() {
  std::vector<std::string> all = {"today"};
  for (const auto& entry : fs::directory_iterator(ABI_KEPT)) all.push_back(entry.path().filename().string());
  std::sort(all.begin(), all.end());
  return all;
}

fs::path plugin_of(const std::string& version) {
  return version == "today" ? fs::path(ABI_TEST_PLUGINS) / "kept.so" : fs::path(ABI_KEPT) / version / "kept_cpp.so";
}

class KeptPlugin : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
#ifndef __x86_64__
    if (GetParam() != "today") GTEST_SKIP() << "kept binaries are for x86-64";
#endif
  }
};

void expect_conformance(const fs::path& library, std::size_t components) {
  const ConformanceReport report = check_plugin(library);
  EXPECT_TRUE(report.passed()) << to_json(report).dump(2);
  std::vector<std::string> passed;
  for (const ConformanceCheck& check : report.checks)
    if (check.outcome == "passed" && !check.component.empty()) passed.push_back(check.component);
  std::sort(passed.begin(), passed.end());
  passed.erase(std::unique(passed.begin(), passed.end()), passed.end());
  EXPECT_EQ(passed.size(), components) << to_json(report).dump(2);
}

TEST_P(KeptPlugin, KeepsTheContractOfEveryInterface) {
  expect_conformance(plugin_of(GetParam()), 10);
}

TEST_P(KeptPlugin, InCKeepsTheContractToo) {
  if (GetParam() == "today") GTEST_SKIP() << "tests/plugins has it";
  expect_conformance(fs::path(ABI_KEPT) / GetParam() / "kept_c.so", 1);
}

TEST_P(KeptPlugin, RunsWithComponentsInSlotsOfComponents) {
  std::string pattern = (fs::temp_directory_path() / "retort-kept-XXXXXX").string();
  ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
  const fs::path folder = pattern;
  start_log(true);
  SearchOptions options;
  options.libraries = {plugin_of(GetParam())};
  options.environment = false;
  options.allow_writable = true;  // a checkout may be anyone's
  options.cache_folder = folder / "cache";
  const Registry registry(options);
  ASSERT_TRUE(registry.refused().empty()) << registry.refused()[0].refusal;
  Json document = Json::parse(R"({"stages": [{"name": "kept", "use": "stage.kept",
    "reward": {"use": "reward.kept", "teacher": {"use": "teacher.kept", "answer": "no"}},
    "teachers": [{"use": "teacher.kept"}, {"use": "teacher.kept"}]}]})");
  std::vector<Diagnostic> diagnostics;
  const ResolvedConfig config = resolve_config({folder / "config.json", document}, registry, diagnostics);
  ASSERT_TRUE(diagnostics.empty()) << to_string(diagnostics[0]);
  EXPECT_TRUE(check_stages(config, registry).empty());
  const RunFolder run(folder / "run");
  EXPECT_EQ(run_pipeline(config, registry, run, {Verification::full, true}), RunEnd::complete);
  const Manifest manifest = read_manifest(run.stage_link("kept"));
  EXPECT_EQ(manifest.facts["teachers"], 2);
  EXPECT_EQ(manifest.facts["reward"][0]["summary"], "with a teacher");

  document["stages"][0]["teachers"].push_back({{"use", "teacher.kept"}});
  const ResolvedConfig third = resolve_config({folder / "config.json", document}, registry, diagnostics);
  const std::vector<Diagnostic> findings = check_stages(third, registry);
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(to_string(findings[0]), "/stages/0/teachers: three are too many");
  fs::remove_all(folder);
}

INSTANTIATE_TEST_SUITE_P(Each, KeptPlugin, ::testing::ValuesIn(versions()), [](const auto& instance) {
  std::string name = instance.param;
  std::replace_if(name.begin(), name.end(), [](char c) { return c == '.' || c == '-'; }, '_');
  return name;
});

}  // namespace
}  // namespace retort::host
