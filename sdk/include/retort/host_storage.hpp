// A folder that outlives the stages of a run (retort.host.storage/1).
#pragma once

#include <retort/abi/host_storage.h>

#include <optional>
#include <retort/component.hpp>
#include <string>
#include <string_view>

namespace retort {

/// The folder of that name of the run under way, or nothing where no run is under way or this host has no storage.
/// Throws std::runtime_error where it cannot be made. Ask when it is needed, not in a constructor.
inline std::optional<std::string> run_storage(std::string_view name) {
  const auto* functions = host_extension<retort_host_storage_v1>(RETORT_HOST_STORAGE_EXTENSION);
  if (functions == nullptr) return std::nullopt;
  std::string path;
  const retort_text_sink sink = detail::sink_into(path);
  throw_if_error(functions->folder(to_abi(name), &sink));
  return path.empty() ? std::nullopt : std::optional<std::string>(path);
}

}  // namespace retort
