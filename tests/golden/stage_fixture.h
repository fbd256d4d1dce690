// Runs one stage in a temporary folder, with inputs that the test makes, and keeps what the stage reported.
#pragma once

#include <retort/abi/stage.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "loaded_plugin.h"

namespace retort::golden {

/// One input artifact: the name of the stage that made it, and its folder.
struct InputFolder {
  std::string stage;
  std::filesystem::path folder;
};

class StageRun {
 public:
  StageRun(std::map<std::string, std::vector<InputFolder>> inputs, std::filesystem::path output);
  /// Throws as throw_if_error does.
  void run(const LoadedComponent& component);

  MetricMap metrics;
  std::map<std::string, std::string> facts;  ///< name → JSON
  std::int64_t progress_calls = 0;

 private:
  const InputFolder& input(retort_string name, std::uint64_t index) const;
  std::map<std::string, std::vector<InputFolder>> inputs_;
  std::string output_;
};

}  // namespace retort::golden
