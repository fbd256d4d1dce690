#include "host/base/log.h"

#include <spdlog/sinks/base_sink.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/dist_sink.h>
#include <spdlog/spdlog.h>

#include <cstdlib>
#include <mutex>
#include <stdexcept>
#include <string_view>

#include "host/base/printable.h"
#include "host/base/redaction.h"
#include "host/base/terminal.h"

namespace retort::host {
namespace {

class TerminalSink : public spdlog::sinks::base_sink<std::mutex> {
 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const std::string_view text(message.payload.data(), message.payload.size());
    const char* prefix = message.level >= spdlog::level::err    ? "error: "
                         : message.level >= spdlog::level::warn ? "warning: "
                                                                : "";
    standard_error().line(prefix + std::string(text));
  }
  void flush_() override {}
};

struct Sinks {
  std::shared_ptr<TerminalSink> terminal = std::make_shared<TerminalSink>();
  std::shared_ptr<spdlog::sinks::dist_sink_mt> files = std::make_shared<spdlog::sinks::dist_sink_mt>();
  std::shared_ptr<spdlog::logger> logger;
};

Sinks& sinks() {
  static Sinks all = [] {
    Sinks made;
    made.terminal->set_level(spdlog::level::info);
    made.logger = std::make_shared<spdlog::logger>("retort", spdlog::sinks_init_list{made.terminal, made.files});
    made.logger->set_level(spdlog::level::debug);
    made.logger->flush_on(spdlog::level::debug);
    spdlog::drop("retort");
    spdlog::register_logger(made.logger);
    return made;
  }();
  return all;
}

}  // namespace

void start_log(bool quiet) {
  const char* wanted = std::getenv("RETORT_LOG");
  const bool all = wanted != nullptr && std::string_view(wanted) == "debug";
  sinks().terminal->set_level(all ? spdlog::level::debug : quiet ? spdlog::level::warn : spdlog::level::info);
}

LogFile::LogFile(const std::filesystem::path& file) {
  try {
    auto sink = std::make_shared<spdlog::sinks::basic_file_sink_mt>(file.string());
    sink->set_pattern("%Y-%m-%d %H:%M:%S.%e %l [%P] %v");
    sinks().files->set_sinks({sink});
  } catch (const spdlog::spdlog_ex& error) {
    throw std::runtime_error("cannot write '" + file.string() + "': " + error.what());
  }
}

LogFile::~LogFile() {
  sinks().files->set_sinks({});
}

void log_debug(const std::string& message) {
  sinks().logger->debug("{}", printable(redacted(message)));
}
void log_info(const std::string& message) {
  sinks().logger->info("{}", printable(redacted(message)));
}
void log_warning(const std::string& message) {
  sinks().logger->warn("{}", printable(redacted(message)));
}
void log_error(const std::string& message) {
  sinks().logger->error("{}", printable(redacted(message)));
}

}  // namespace retort::host
