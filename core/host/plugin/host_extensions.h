// What retort_host.get_extension gives to plugins: optional services, each with an id and a table of its own.
#pragma once

#include <string>
#include <string_view>

namespace retort::host {

/// `table` (of a retort_host_…_v1) answers get_extension(id) from now on; it must live to the end of the process. A
/// layer that host does not know registers what it offers, before plugins are created. [any-thread]
void register_host_extension(const std::string& id, const void* table);

/// NULL for what nobody registered. retort.host.secrets/1 is always there. [any-thread]
const void* find_host_extension(std::string_view id);

}  // namespace retort::host
