#include "host/report/inspection.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "host/base/number_format.h"
#include "host/base/progress.h"
#include "host/report/run_results.h"
#include "host/run/artifact.h"
#include "host/run/run_folder.h"

namespace retort::host {
namespace {

enum class FolderKind { run, artifact, model };

FolderKind kind_of(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) throw std::invalid_argument("no such folder: " + path.string());
  if (std::filesystem::exists(path / "run.json", ignored)) return FolderKind::run;
  if (std::filesystem::exists(path / manifest_name, ignored)) return FolderKind::artifact;
  if (std::filesystem::exists(path / "config.json", ignored)) return FolderKind::model;
  throw std::invalid_argument("'" + path.string() +
                              "' is not a run (run.json), an artifact (manifest.json) or a model (config.json)");
}

Json files_of(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.is_regular_file()) paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  Json files = Json::array();
  for (const auto& path : paths)
    files.push_back({{"path", path.filename().string()}, {"bytes", std::filesystem::file_size(path)}});
  return files;
}

Json inspect_artifact(const std::filesystem::path& path) {
  const Manifest manifest = read_manifest(path);
  Json json = read_json(path / manifest_name);
  const std::string reason = damage(path, manifest, Verification::sizes);
  json["artifact"] = std::filesystem::canonical(path).string();
  json["damage"] = reason.empty() ? Json() : Json(reason);
  return json;
}

Json inspect_model(const std::filesystem::path& path) {
  const bool packaged = std::filesystem::exists(path / "retort.json");
  return {{"kind", "model"},
          {"config", read_json(path / "config.json")},
          {"retort", packaged ? read_json(path / "retort.json") : Json()},
          {"files", files_of(path)}};
}

std::string field(const std::string& name, const std::string& value) {
  return name + std::string(name.size() < 10 ? 10 - name.size() : 1, ' ') + value + "\n";
}

std::string plain(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string file_lines(const Json& files) {
  std::string text = "files\n";
  for (const Json& file : files) text += "  " + plain(file["path"]) + "  " + format_bytes(file["bytes"]) + "\n";
  return text;
}

std::string run_text(const std::filesystem::path& path) {
  const RunFolder folder(path);
  const RunResults results = read_results(folder);
  std::string text = field("run", results.record.value("name", ""));
  text += field("state", actual_state(folder, results));
  text += field("started", results.record.value("started", ""));
  text += field("made in", format_duration(making_seconds(results)));
  if (results.record.contains("error")) text += field("error", plain(results.record["error"]));
  text += "stages\n";
  for (const StageResult& stage : results.stages)
    text += "  " + stage.name + " (" + stage.component + "): " + stage.state +
            (stage.artifact.empty() ? "" : ", artifacts/" + stage.artifact) + "\n";
  if (const std::string table = results_table(results); !table.empty()) text += "\n" + table + "\n\n";
  if (std::filesystem::exists(folder.report())) text += field("report", folder.report().string());
  if (std::filesystem::exists(folder.model_link())) text += field("model", folder.model_link().string());
  return text;
}

std::string artifact_text(const Json& manifest) {
  std::string text = field("artifact", plain(manifest["artifact"]));
  text += field("kind", plain(manifest["kind"]));
  text += field("stage", plain(manifest["stage"]) + " (" + plain(manifest["producer"]["component"]) + " " +
                             plain(manifest["producer"]["version"]) + ")");
  text += field("created", plain(manifest["created"]));
  text += field("sha256", plain(manifest["sha256"]));
  text +=
      field("state", manifest["damage"].is_null() ? "whole (sizes checked)" : "damaged: " + plain(manifest["damage"]));
  for (const Json& input : manifest["inputs"])
    text += field("input", plain(input["name"]) + ": " + plain(input["artifact"]));
  if (!manifest["facts"].empty()) text += "facts\n";
  for (const auto& [name, value] : manifest["facts"].items()) text += "  " + name + ": " + plain(value) + "\n";
  return text + file_lines(manifest["files"]);
}

/// What retort.json says about the task.
std::string task_text(const Json& model) {
  const Json task = model["retort"].is_object() ? model["retort"].value("task", Json()) : Json();
  if (!task.is_object())
    return field("task", "none: no retort.json; it continues text (retort generate), it answers no calls");
  std::string text = field("format", plain(task.value("format", Json("unknown"))));
  text += field("tools", std::to_string(task.value("tools", Json::array()).size()));
  return text;
}

}  // namespace

Json inspect(const std::filesystem::path& path) {
  switch (kind_of(path)) {
    case FolderKind::run: {
      const RunFolder folder(path);
      const RunResults results = read_results(folder);
      Json json = to_json(results);
      json["state"] = actual_state(folder, results);
      return json;
    }
    case FolderKind::artifact:
      return inspect_artifact(path);
    case FolderKind::model:
      break;
  }
  return inspect_model(path);
}

std::string inspection_text(const std::filesystem::path& path,
                            const std::function<std::string(const std::filesystem::path&)>& describe_model) {
  const FolderKind kind = kind_of(path);
  std::string text;
  if (kind == FolderKind::run) text = run_text(path);
  if (kind == FolderKind::artifact) text = artifact_text(inspect_artifact(path));
  if (kind != FolderKind::run && std::filesystem::exists(path / "config.json")) {
    const Json model = inspect_model(path);
    text += field("model", path.string()) + describe_model(path) + task_text(model);
    if (kind == FolderKind::model) text += file_lines(model["files"]);
  }
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace retort::host
