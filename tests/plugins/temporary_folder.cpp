#include "temporary_folder.h"

#include <sys/stat.h>

#include <cstdlib>
#include <stdexcept>

namespace retort::test {

namespace fs = std::filesystem;

TemporaryFolder::TemporaryFolder() {
  std::string pattern = (fs::temp_directory_path() / "retort-plugins-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot make " + pattern);
  path_ = fs::canonical(pattern);
  fs::create_directory(plugins());
  fs::permissions(plugins(), fs::perms::owner_all);
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code error;
  fs::remove_all(path_, error);
}

fs::path TemporaryFolder::add(const std::string& name) const {
  const fs::path copy = plugins() / (name + ".so");
  fs::copy_file(fs::path(TEST_PLUGINS) / (name + ".so"), copy, fs::copy_options::overwrite_existing);
  fs::permissions(copy, fs::perms::owner_all);
  return copy;
}

host::SearchOptions TemporaryFolder::options() const {
  host::SearchOptions options;
  options.folders = {plugins()};
  options.environment = false;
  options.cache_folder = cache();
  return options;
}

std::string refusal_of(const host::Registry& registry, const std::string& library) {
  for (const host::PluginInfo& plugin : registry.refused())
    if (plugin.library.filename() == library) return plugin.refusal;
  return "";
}

}  // namespace retort::test
