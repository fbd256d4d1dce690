// The interfaces that this host drives, and the least that a table of each must hold.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace retort::host {

struct KnownFunction {
  std::string_view name;
  bool optional = false;  ///< NULL says: not offered
};

struct KnownInterface {
  std::string_view id;                   ///< "retort.distill/1"
  std::string_view prefix;               ///< what ids of its components begin with: "distill"
  std::uint32_t table_size;              ///< bytes of the first revision's function table: RETORT_…_V1_SIZE
  std::vector<KnownFunction> functions;  ///< of that table, in its order
};

const std::vector<KnownInterface>& known_interfaces();

/// NULL for an interface that this host does not know.
const KnownInterface* find_interface(std::string_view id);

/// Why `table`, as get_interface() returned it, cannot be used as `known`: NULL, too small, a function missing that is
/// not optional; or "".
std::string invalid_table_reason(const KnownInterface& known, const void* table);

}  // namespace retort::host
