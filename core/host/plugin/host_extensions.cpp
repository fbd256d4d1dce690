#include "host/plugin/host_extensions.h"

#include <retort/abi/host_secrets.h>

#include <map>
#include <mutex>

#include "host/plugin/secrets.h"

namespace retort::host {
namespace {

struct Extensions {
  std::mutex mutex;
  std::map<std::string, const void*, std::less<>> tables{{RETORT_HOST_SECRETS_EXTENSION, &secrets_table()}};
};

Extensions& extensions() {
  static auto* const all = new Extensions;  // plugins may ask until the process ends
  return *all;
}

}  // namespace

void register_host_extension(const std::string& id, const void* table) {
  Extensions& all = extensions();
  const std::lock_guard lock(all.mutex);
  all.tables[id] = table;
}

const void* find_host_extension(std::string_view id) {
  Extensions& all = extensions();
  const std::lock_guard lock(all.mutex);
  const auto found = all.tables.find(id);
  return found == all.tables.end() ? nullptr : found->second;
}

}  // namespace retort::host
