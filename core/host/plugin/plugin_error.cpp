// The service table that plugins get. Nothing here throws: a plugin may be written in C.
#include "host/plugin/plugin_error.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>
#include <new>
#include <retort/host.hpp>
#include <string_view>

#include "host/base/printable.h"
#include "host/base/redaction.h"
#include "host/base/utf8.h"
#include "host/plugin/host_extensions.h"
#include "host/plugin/stop_request.h"

#ifndef RETORT_VERSION
#error "the build sets RETORT_VERSION to the product version"
#endif

struct retort_error {
  std::int32_t code;
  std::string message;
};

namespace retort::host {
namespace {

std::atomic<bool> stop{false};
static_assert(std::atomic<bool>::is_always_lock_free, "request_stop() runs in signal handlers");

/// Stands in when there is no memory for a new error; never freed.
retort_error& out_of_memory() {
  static retort_error error{RETORT_ERROR_RUNTIME, "out of memory"};
  return error;
}

retort_error* error_new(std::int32_t code, retort_string message) {
  try {
    return new retort_error{code, to_std(message)};
  } catch (const std::exception&) {
    return &out_of_memory();
  }
}

std::int32_t error_code(const retort_error* error) {
  return error->code;
}

retort_string error_message(const retort_error* error) {
  return to_abi(error->message);
}

void error_free(retort_error* error) {
  if (error != &out_of_memory()) delete error;
}

std::shared_ptr<spdlog::logger> logger() {
  if (auto existing = spdlog::get("retort")) return existing;
  static const std::shared_ptr<spdlog::logger> own = spdlog::stderr_color_mt("retort");
  return own;
}

void log(std::int32_t level, retort_string message) {
  try {
    const auto severity = level <= RETORT_LOG_DEBUG     ? spdlog::level::debug
                          : level == RETORT_LOG_INFO    ? spdlog::level::info
                          : level == RETORT_LOG_WARNING ? spdlog::level::warn
                                                        : spdlog::level::err;
    logger()->log(severity, "{}", printable(redacted(to_std(message))));
  } catch (...) {
    // A message that cannot be written is lost; it must not end the plugin's call.
  }
}

std::int32_t should_stop() {
  return stop_requested() ? 1 : 0;
}

const void* get_extension(retort_string id) {
  try {
    return find_host_extension(to_std(id));
  } catch (const std::exception&) {
    return nullptr;  // no memory: the same as not offered
  }
}

}  // namespace

const retort_host& host_services() {
  static const retort_host services = {
      sizeof(retort_host), RETORT_ABI_MAJOR, RETORT_ABI_MINOR, 0,          to_abi(std::string_view(RETORT_VERSION)),
      error_new,           error_code,       error_message,    error_free, log,
      should_stop,         get_extension};
  return services;
}

void request_stop() {
  stop.store(true, std::memory_order_relaxed);
}
bool stop_requested() {
  return stop.load(std::memory_order_relaxed);
}
void throw_if_stop_requested() {
  if (stop_requested()) throw Stopped();
}
void clear_stop_request() {
  stop.store(false, std::memory_order_relaxed);
}

void throw_if_error(retort_error* error, const std::string& what) {
  if (error == nullptr) return;
  const PluginError thrown(error->code, redacted(what + ": " + replace_invalid_utf8(error->message)));
  error_free(error);
  throw thrown;
}

retort_text_sink sink_into(std::string& text) {
  return {sizeof(retort_text_sink), 0, &text, [](void* context, retort_string piece) {
            if (piece.size > 0) static_cast<std::string*>(context)->append(piece.data, piece.size);
          }};
}

}  // namespace retort::host
