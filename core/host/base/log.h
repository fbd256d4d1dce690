// The "retort" logger: short lines on stderr, full ones in a run's log.txt.
#pragma once

#include <filesystem>
#include <string>

namespace retort::host {

/// Makes the "retort" spdlog logger, which writes to standard_error(). Once per process, before threads log; a second
/// call only changes `quiet` (warnings and errors alone on stderr). With RETORT_LOG=debug in the environment all goes
/// to stderr, whatever `quiet` says.
void start_log(bool quiet);

/// Also writes every line, with time and level, to `file` (appending) until the object goes. One at a time.
/// Throws std::runtime_error when the file cannot be opened.
class LogFile {
 public:
  explicit LogFile(const std::filesystem::path& file);
  ~LogFile();
  LogFile(const LogFile&) = delete;
  LogFile& operator=(const LogFile&) = delete;
};

/// Each replaces secrets by "***" (host/base/redaction.h), and is made printable (host/base/printable.h).
/// For a run's log.txt; on stderr only with RETORT_LOG=debug.
void log_debug(const std::string& message);
void log_info(const std::string& message);
void log_warning(const std::string& message);
void log_error(const std::string& message);

}  // namespace retort::host
