// The host's side of the ABI: its service table, and errors of components as exceptions.
#pragma once

#include <retort/abi/base.h>

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace retort::host {

/// What a component returned: its code decides the exit code (INVALID_ARGUMENT: 2, others: 1).
class PluginError : public std::runtime_error {
 public:
  PluginError(std::int32_t code, const std::string& message) : std::runtime_error(message), code_(code) {}
  std::int32_t code() const { return code_; }

 private:
  std::int32_t code_;
};

/// The one service table of this process; plugins get it in init(). Its log function goes to the "retort" spdlog
/// logger.
const retort_host& host_services();

/// Makes should_stop() answer 1 from now on. Async-signal-safe.
void request_stop();
bool stop_requested();
void clear_stop_request();  ///< for tests

/// Throws PluginError with "`what`: message" (UTF-8, secrets as "***"), and frees the error; does nothing for NULL.
void throw_if_error(retort_error* error, const std::string& what);

inline std::string to_std(retort_string text) {
  return text.size == 0 ? std::string() : std::string(text.data, text.size);
}
inline retort_string to_abi(std::string_view text) {
  return {text.data(), text.size()};
}

/// A text sink that appends to a string; keep the string alive while the sink is used.
retort_text_sink sink_into(std::string& text);

}  // namespace retort::host
