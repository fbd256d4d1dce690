// The host as a plugin sees it: logging, stopping, and the exception barrier that every C function stands behind.
#pragma once

#include <retort/abi/base.h>

#include <cstdint>
#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>

namespace retort {

inline retort_string to_abi(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view to_view(retort_string text) {
  return text.size == 0 ? std::string_view() : std::string_view(text.data, text.size);
}

/// Thrown when the user asked to stop; crosses the boundary as RETORT_ERROR_STOPPED.
struct Stopped : std::runtime_error {
  Stopped() : std::runtime_error("stopped on request") {}
};

namespace detail {

/// Set once by init(), before any component exists.
inline const retort_host*& host_pointer() {
  static const retort_host* host = nullptr;
  return host;
}

inline retort_error* make_error(std::int32_t code, std::string_view message) noexcept {
  return host_pointer()->error_new(code, to_abi(message));
}

/// Runs `body`; whatever it throws becomes an error object. Nothing thrown ever leaves a plugin.
template <typename Body>
retort_error* guarded(Body&& body) noexcept {
  try {
    body();
    return nullptr;
  } catch (const Stopped& error) {
    return make_error(RETORT_ERROR_STOPPED, error.what());
  } catch (const std::invalid_argument& error) {
    return make_error(RETORT_ERROR_INVALID_ARGUMENT, error.what());
  } catch (const std::bad_alloc&) {
    return make_error(RETORT_ERROR_RUNTIME, "out of memory");
  } catch (const std::logic_error& error) {
    return make_error(RETORT_ERROR_INTERNAL, error.what());
  } catch (const std::exception& error) {
    return make_error(RETORT_ERROR_RUNTIME, error.what());
  } catch (...) {
    return make_error(RETORT_ERROR_INTERNAL, "an exception that is not a std::exception");
  }
}

}  // namespace detail

/// The host's log, at RETORT_LOG_DEBUG … RETORT_LOG_ERROR.
inline void log(std::int32_t level, std::string_view message) {
  detail::host_pointer()->log(level, to_abi(message));
}
inline void log_info(std::string_view message) {
  log(RETORT_LOG_INFO, message);
}
inline void log_warning(std::string_view message) {
  log(RETORT_LOG_WARNING, message);
}

inline bool should_stop() {
  return detail::host_pointer()->should_stop() != 0;
}
/// Throws Stopped once the user asked to stop. Long loops call it at least once a second.
inline void throw_if_stopped() {
  if (should_stop()) throw Stopped();
}

/// A service of the host by id, or nullptr where this host does not offer it: retort/host_models.hpp, ….
template <typename Table>
const Table* host_extension(std::string_view id) {
  return static_cast<const Table*>(detail::host_pointer()->get_extension(to_abi(id)));
}

/// Turns an error of the host or of another component into an exception and frees it.
inline void throw_if_error(retort_error* error) {
  if (error == nullptr) return;
  const retort_host& host = *detail::host_pointer();
  const std::int32_t code = host.error_code(error);
  const std::string message(to_view(host.error_message(error)));
  host.error_free(error);
  if (code == RETORT_ERROR_STOPPED) throw Stopped();
  if (code == RETORT_ERROR_INVALID_ARGUMENT) throw std::invalid_argument(message);
  throw std::runtime_error(message);
}

}  // namespace retort
