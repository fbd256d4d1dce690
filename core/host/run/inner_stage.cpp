#include "host/run/inner_stage.h"

#include <set>
#include <stdexcept>

#include "host/base/log.h"
#include "host/config/config_resolution.h"
#include "host/run/stage_cache.h"
#include "host/run/stage_run.h"
#include "host/run/stage_services.h"

namespace retort::host {
namespace {

constexpr int deepest_inner_stage = 8;

/// The stages that run inside each other now. Stages run one at a time in a process.
int& inner_depth() {
  static int depth = 0;
  return depth;
}

/// Checks the folders that an inner stage gets as its inputs: artifacts of this run, of the kinds that it reads.
class InnerInputs {
 public:
  InnerInputs(const RunFolder& folder, std::vector<Diagnostic>& diagnostics)
      : folder_(folder), diagnostics_(diagnostics) {}

  std::vector<InputArtifact> read(const ResolvedStage& stage, const Json& given) {
    if (!given.is_object()) {
      report("/inputs", "expected {input name: folder, …}, found " + given.dump());
      return {};
    }
    std::set<std::string> known;
    for (const Json& input : stage.component.stage.value("inputs", Json::array())) {
      const std::string name = input["name"];
      known.insert(name);
      if (given.contains(name))
        read_input(input, given[name], pointer_to("/inputs", name));
      else if (!input.value("optional", false))
        report("/inputs", "\"" + name + "\" is missing: the folder of a " + input["kind"].get<std::string>());
    }
    for (const auto& item : given.items())
      if (known.count(item.key()) == 0)
        report(pointer_to("/inputs", item.key()), stage.component.id + " has no input \"" + item.key() + "\"");
    return std::move(inputs_);
  }

 private:
  void read_input(const Json& input, const Json& given, const std::string& pointer) {
    if (given.is_array() && !input.value("list", false)) return report(pointer, "expected one folder, found an array");
    for (const Json& one : given.is_array() ? given : Json::array({given})) {
      if (!one.is_string()) return report(pointer, "expected a folder, found " + one.dump());
      const std::filesystem::path path = std::filesystem::path(one.get<std::string>()).lexically_normal();
      if (path.parent_path() != folder_.artifacts())
        return report(pointer, "expected an artifact of this run, in " + folder_.artifacts().string() + ", found " +
                                   path.string());
      try {
        const Manifest manifest = read_manifest(path);
        if (manifest.kind != input["kind"].get<std::string>())
          return report(pointer, "expected a " + input["kind"].get<std::string>() + ", found " + path.string() +
                                     ", which is a " + manifest.kind);
        inputs_.push_back({input["name"], manifest.stage, path.filename().string(), manifest.sha256});
      } catch (const std::exception& error) {
        return report(pointer, error.what());
      }
    }
  }
  void report(const std::string& pointer, const std::string& message) {
    diagnostics_.push_back({pointer, message, ""});
  }

  const RunFolder& folder_;
  std::vector<Diagnostic>& diagnostics_;
  std::vector<InputArtifact> inputs_;
};

}  // namespace

std::filesystem::path run_inner_stage(const ResolvedConfig& config, const std::string& outer, const Json& entry,
                                      const Registry& registry, const RunFolder& folder) {
  std::vector<Diagnostic> diagnostics;
  const ResolvedStage stage = resolve_stage(entry, "", config.file.parent_path(), registry, diagnostics);
  std::vector<InputArtifact> inputs;
  if (!stage.component.id.empty())
    inputs = InnerInputs(folder, diagnostics).read(stage, entry.value("inputs", Json::object()));
  if (!diagnostics.empty()) throw std::invalid_argument(listed("a stage that \"" + outer + "\" runs", diagnostics));
  if (inner_depth() >= deepest_inner_stage)
    throw std::invalid_argument("stages run inside each other more than " + std::to_string(deepest_inner_stage) +
                                " deep");
  CacheEntry cached = look_up(folder, stage.name, stage_recipe(config, stage, inputs), Verification::sizes);
  const std::string title = outer + " / " + stage.name;
  if (cached.state == CacheEntry::State::cached) {
    log_info(title + ": cached, " + cached.attempt);
    return folder.artifact(cached.attempt);
  }
  log_info(title + " (" + stage.component.id + "): " + cached.reason);
  if (cached.state == CacheEntry::State::damaged)
    log_warning("set aside as " + folder.set_aside(cached.attempt).string());
  struct Depth {
    Depth() { ++inner_depth(); }
    ~Depth() { --inner_depth(); }
  } const depth;
  run_stage(config, stage, registry, folder, cached, inputs, true);
  std::filesystem::remove_all(folder.work(cached.attempt));
  return folder.artifact(cached.attempt);
}

}  // namespace retort::host
