// A folder for one test, configs of faulty stages in it, and the built `retort` run on them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <thread>

#include "child_command.h"
#include "host/base/files.h"
#include "host/base/json.h"

namespace retort::faults {

using host::Json;
namespace fs = std::filesystem;
using apps::ChildCommand;
using apps::Outcome;

class FaultTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "retort-fault-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = fs::canonical(pattern);
    ChildCommand::bring_scans(folder_);
  }
  void TearDown() override {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  /// {"name", "use": "stage.faulty", "what", …more}
  static Json faulty(const std::string& name, const std::string& what, const Json& more = Json::object()) {
    Json stage = {{"name", name}, {"use", "stage.faulty"}, {"what", what}};
    stage.update(more);
    return stage;
  }
  static Json source(const std::string& name = "source") { return {{"name", name}, {"use", "stage.test_source"}}; }
  static Json count(const std::string& name, const Json& more = Json::object()) {
    Json stage = {{"name", name}, {"use", "stage.test_count"}, {"inputs", {{"dataset", "source"}}}};
    stage.update(more);
    return stage;
  }
  void write_config(const Json& stages, const Json& plugins = {TEST_STAGES_PLUGIN, FAULTY_PLUGIN}) const {
    host::write_json(folder_ / "config.json", {{"name", "faults"}, {"plugins", plugins}, {"stages", stages}});
  }
  std::vector<std::string> arguments(const std::string& command, const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {command, (folder_ / "config.json").string(), "--allow-writable-plugins"};
    if (command != "check") all.insert(all.end(), {"--run-dir", run().string()});
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  Outcome retort(const std::string& command, const std::vector<std::string>& more = {}) const {
    return ChildCommand(folder_, arguments(command, more)).wait();
  }
  fs::path run() const { return folder_ / "run"; }
  Json record() const { return host::read_json(run() / "run.json"); }
  Json manifest(const std::string& stage) const { return host::read_json(run() / "stages" / stage / "manifest.json"); }
  std::string log() const { return host::read_file(run() / "log.txt"); }

  /// Waits, at most so long, until `ready` says yes.
  template <typename Ready>
  static bool wait_for(const Ready& ready, int seconds = 20) {
    for (int i = 0; i < 100 * seconds; ++i) {
      if (ready()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }
  fs::path folder_;
};

#define EXPECT_HAS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)
#define EXPECT_LACKS(text, part) EXPECT_EQ((text).find(part), std::string::npos) << (text)

}  // namespace retort::faults
