// Which content a file had, kept so that a later look can tell cheaply whether it still has it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

namespace retort::model {

/// Name, size, time and hashes of a file. Its content counts as unchanged where size, time and the hash of samples are
/// those of the stamp, and where the time is another one, but the hash of all of it is the same. So a copy that keeps
/// times (tar, rsync, a container's layer) costs a few hundred reads, and one that does not a hash of the whole file.
struct FileStamp {
  std::string name;  ///< without its folder
  std::int64_t bytes = 0;
  std::int64_t seconds = 0, nanoseconds = 0;  ///< of the last change; archives drop the nanoseconds
  std::string sha256;
  std::string
      sample;  ///< SHA-256 of the file's first 64 KiB and of 64 bytes in every 64 KiB; all of a file up to 1 MiB

  bool operator==(const FileStamp&) const = default;
};

/// Reads the whole file. Throws std::runtime_error naming it.
FileStamp stamp_of(const std::filesystem::path& file);
/// Why the file `folder`/stamp.name has another content than when the stamp was made; "" where it has the same.
std::string changed_since(const FileStamp& stamp, const std::filesystem::path& folder);

nlohmann::json to_json(const FileStamp& stamp);
/// Throws nlohmann::json::exception for what to_json did not write.
FileStamp file_stamp_from_json(const nlohmann::json& json);

}  // namespace retort::model
