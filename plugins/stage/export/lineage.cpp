// A walk over sibling folders, breadth first.
#include "lineage.h"

#include <deque>
#include <set>
#include <stdexcept>

#include "host/base/json.h"

namespace retort::stages {

namespace {

using Json = nlohmann::json;

Json step_of(const std::filesystem::path& folder) {
  const auto file = folder / "manifest.json";
  const Json manifest = host::read_json(file);
  try {
    for (const Json& input : manifest.at("inputs")) input.at("artifact").get_ref<const std::string&>();
    return {{"stage", manifest.at("stage")},          {"kind", manifest.at("kind")},
            {"artifact", folder.filename().string()}, {"sha256", manifest.at("sha256")},
            {"producer", manifest.at("producer")},    {"inputs", manifest.at("inputs")}};
  } catch (const Json::exception& error) {
    throw std::invalid_argument(file.string() + ": not an artifact's manifest: " + error.what());
  }
}

}  // namespace

Json lineage_of(const std::filesystem::path& folder) {
  Json steps = Json::array();
  const std::filesystem::path first = std::filesystem::canonical(folder);
  std::deque<std::filesystem::path> pending{first};
  std::set<std::filesystem::path> seen{first};
  while (!pending.empty()) {
    const std::filesystem::path current = pending.front();
    pending.pop_front();
    if (!std::filesystem::exists(current / "manifest.json")) continue;
    steps.push_back(step_of(current));
    for (const Json& input : steps.back().at("inputs")) {
      const std::filesystem::path name = input.at("artifact").get<std::string>();
      if (name.empty() || name != name.filename()) continue;  // neighbours only: nothing outside the run is read
      if (const auto neighbour = current.parent_path() / name; seen.insert(neighbour).second)
        pending.push_back(neighbour);
    }
  }
  return steps;
}

}  // namespace retort::stages
