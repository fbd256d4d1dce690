#include "host/run/artifact.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/utf8.h"
#include "host/plugin/plugin_trust.h"

namespace retort::host {
namespace {

void sync_path(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && ::fsync(descriptor) == 0;
  const int code = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) throw std::runtime_error("cannot make '" + path.string() + "' durable: " + std::strerror(code));
}

Json to_json(const Manifest& manifest) {
  Json inputs = Json::array();
  for (const InputArtifact& input : manifest.inputs)
    inputs.push_back(
        {{"name", input.input}, {"stage", input.stage}, {"artifact", input.artifact}, {"sha256", input.sha256}});
  return {{"format", 1},
          {"kind", manifest.kind},
          {"stage", manifest.stage},
          {"sha256", manifest.sha256},
          {"key", manifest.key},
          {"recipe", manifest.recipe},
          {"producer", manifest.producer},
          {"inputs", inputs},
          {"files", manifest.files},
          {"facts", manifest.facts},
          {"created", manifest.created},
          {"seconds", manifest.seconds}};
}

/// What this process hashed, as long as nobody touches it.
class HashedFiles {
 public:
  std::string hash(const std::filesystem::path& path) {
    const FileIdentity file = file_identity(path);
    const std::lock_guard lock(mutex_);
    auto& [identity, hash] = known_[file.path];
    if (hash.empty() || identity != file) {
      hash = sha256_of_file(path);
      identity = file;
    }
    return hash;
  }
  /// Moved with its folder: the same file under another name.
  void moved(const std::filesystem::path& path, const std::string& hash) {
    const FileIdentity file = file_identity(path);
    const std::lock_guard lock(mutex_);
    known_[file.path] = {file, hash};
  }

 private:
  std::mutex mutex_;
  std::map<std::string, std::pair<FileIdentity, std::string>> known_;
};

HashedFiles& hashed_files() {
  static HashedFiles files;
  return files;
}

void make_read_only(const std::filesystem::path& path) {
  if (::chmod(path.c_str(), S_IRUSR | S_IRGRP | S_IROTH) != 0)
    throw std::runtime_error("cannot make '" + path.string() + "' read-only: " + std::strerror(errno));
}

void expect_utf8(const std::filesystem::path& path) {
  if (replace_invalid_utf8(path.native()) != path.native())
    throw std::invalid_argument("'" + replace_invalid_utf8(path.native()) +
                                "': the name of an artifact's file must be UTF-8");
}

/// All files of an artifact in sorted order; also makes them read-only, and fsyncs them and their folders.
Json list_and_sync(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_directory() && !entry.is_symlink()) {
      sync_path(entry.path());
    } else if (entry.is_regular_file() && !entry.is_symlink()) {
      paths.push_back(entry.path());
    } else {
      throw std::invalid_argument("'" + entry.path().string() +
                                  "': an artifact holds regular files and folders only; the stage must copy, not link");
    }
  }
  std::sort(paths.begin(), paths.end());
  Json files = Json::array();
  for (const auto& path : paths) {
    expect_utf8(path);
    make_read_only(path);
    sync_path(path);
    files.push_back({{"path", path.lexically_relative(folder).generic_string()},
                     {"bytes", std::filesystem::file_size(path)},
                     {"sha256", sha256_of_file(path)}});
  }
  return files;
}

}  // namespace

std::string utc_now() {
  const std::time_t now = std::chrono::system_clock::to_time_t(std::chrono::system_clock::now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return text;
}

std::string content_hash(const std::string& kind, const Json& files) {
  std::string list = kind + "\n";
  for (const Json& file : files)
    list += file["path"].get<std::string>() + "\n" + file["sha256"].get<std::string>() + "\n";
  return sha256(list);
}

Manifest read_manifest(const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / manifest_name;
  Json json = read_json(path);
  try {
    if (json.at("format") != 1)
      throw std::invalid_argument(path.string() + ": format 1 expected, found " + json["format"].dump() +
                                  "; this Retort is " + product_version());
    const std::string checksum = json.at("checksum");
    json.erase("checksum");
    if (sha256(json.dump()) != checksum)
      throw std::invalid_argument(path.string() + ": its content does not match its checksum; it was changed");
    Manifest manifest;
    manifest.kind = json.at("kind");
    manifest.stage = json.at("stage");
    manifest.sha256 = json.at("sha256");
    manifest.key = json.at("key");
    manifest.recipe = json.at("recipe");
    manifest.producer = json.at("producer");
    manifest.files = json.at("files");
    manifest.facts = json.at("facts");
    manifest.created = json.at("created");
    manifest.seconds = json.at("seconds");
    for (const Json& input : json.at("inputs"))
      manifest.inputs.push_back({input.at("name"), input.at("stage"), input.at("artifact"), input.at("sha256")});
    return manifest;
  } catch (const Json::exception& error) {
    throw std::invalid_argument(path.string() + ": not an artifact's manifest: " + error.what());
  }
}

std::string damage(const std::filesystem::path& folder, const Manifest& manifest, Verification verification) {
  for (const Json& file : manifest.files) {
    const std::filesystem::path path = folder / file["path"].get<std::string>();
    std::error_code error;
    const std::uintmax_t bytes = std::filesystem::file_size(path, error);
    if (error) return "'" + path.string() + "': " + error.message();
    if (Json(bytes) != file["bytes"])
      return "'" + path.string() + "': expected " + file["bytes"].dump() + " bytes, found " + std::to_string(bytes);
    if (verification == Verification::full && hashed_files().hash(path) != file["sha256"].get<std::string>())
      return "'" + path.string() + "': its content does not match its SHA-256";
  }
  return "";
}

void seal_artifact(const std::filesystem::path& temporary, const std::filesystem::path& final_folder,
                   Manifest& manifest) {
  if (std::filesystem::exists(temporary / manifest_name))
    throw std::invalid_argument("'" + (temporary / manifest_name).string() +
                                "': the stage wrote a manifest; that file is the host's");
  manifest.files = list_and_sync(temporary);
  manifest.sha256 = content_hash(manifest.kind, manifest.files);
  Json json = to_json(manifest);
  json["checksum"] = sha256(json.dump());
  write_json(temporary / manifest_name, json);
  make_read_only(temporary / manifest_name);
  sync_path(temporary);
  std::error_code error;
  std::filesystem::rename(temporary, final_folder, error);
  if (error) throw std::runtime_error("cannot make '" + final_folder.string() + "': " + error.message());
  sync_path(final_folder.parent_path());
  for (const Json& file : manifest.files) hashed_files().moved(final_folder / file["path"], file["sha256"]);
}

}  // namespace retort::host
