#define BOOST_DLL_USE_STD_FS
#include "host/plugin/plugin_library.h"

#include <dlfcn.h>
#include <elf.h>

#include <boost/dll/shared_library.hpp>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <mutex>
#include <stdexcept>
#include <vector>

#include "host/plugin/plugin_error.h"

namespace retort::host {

struct PluginLibrary::Handle {
  boost::dll::shared_library library;
};

namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw std::runtime_error("'" + path.string() + "' " + why);
}

std::string header_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string header(sizeof(Elf64_Ehdr), '\0');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  header.resize(static_cast<std::size_t>(file.gcount()));
  return header;
}

/// Says plainly what dlopen would say in its own words.
void check_file(const std::filesystem::path& path) {
  if (!path.is_absolute()) refuse(path, "is not an absolute path; plugins are never looked up by a bare name");
  std::error_code error;
  if (!std::filesystem::exists(path, error)) refuse(path, "does not exist");
  if (!std::filesystem::is_regular_file(path, error)) refuse(path, "is not a file");
  const std::string header = header_of(path);
  if (header.size() < sizeof(Elf64_Ehdr) || std::memcmp(header.data(), ELFMAG, SELFMAG) != 0)
    refuse(path, "is not a shared library: it has no ELF header");
  Elf64_Ehdr found{}, own{};
  std::memcpy(&found, header.data(), sizeof found);
  const std::string self = header_of("/proc/self/exe");
  if (self.size() == sizeof own) std::memcpy(&own, self.data(), sizeof own);
  if (found.e_ident[EI_CLASS] != own.e_ident[EI_CLASS] || found.e_machine != own.e_machine)
    refuse(path, "was built for another kind of machine; build the plugin on this one");
  if (found.e_type != ET_DYN) refuse(path, "is not a shared library: its ELF type is " + std::to_string(found.e_type));
}

std::string abi_text(std::uint32_t major, std::uint32_t minor) {
  return std::to_string(major) + "." + std::to_string(minor);
}

void check_version(const std::filesystem::path& path, const retort_plugin_entry& entry) {
  const std::string wanted = abi_text(entry.abi_major, entry.abi_minor);
  const std::string offered = abi_text(RETORT_ABI_MAJOR, RETORT_ABI_MINOR);
  if (entry.abi_major != RETORT_ABI_MAJOR)
    refuse(path,
           "wants plugin ABI " + wanted + ", this host has " + offered +
               ": rebuild the plugin with the SDK of this host, or install a Retort that provides retort-plugin-abi-" +
               std::to_string(entry.abi_major));
  if (entry.abi_minor > RETORT_ABI_MINOR)
    refuse(path, "wants plugin ABI " + wanted + " or a later minor version, this host has " + offered +
                     ": update Retort, or rebuild the plugin with the SDK of this host");
}

void check_entry(const std::filesystem::path& path, const retort_plugin_entry& entry) {
  // The version comes first: it decides what the rest means.
  if (!RETORT_HAS_FIELD(&entry, retort_plugin_entry, abi_minor))
    refuse(path,
           "has an entry of struct_size " + std::to_string(entry.struct_size) + ", too small to hold its ABI version");
  check_version(path, entry);
  if (!RETORT_HAS_FIELD(&entry, retort_plugin_entry, get_interface))
    refuse(path, "has an entry of struct_size " + std::to_string(entry.struct_size) + ", expected at least " +
                     std::to_string(sizeof(retort_plugin_entry)) + ": set struct_size to sizeof(retort_plugin_entry)");
  const auto need = [&](bool there, const char* name) {
    if (!there)
      refuse(path,
             std::string("has NULL for the function ") + name + "() of its entry; only shutdown() may be left out");
  };
  need(entry.init != nullptr, "init");
  need(entry.component_count != nullptr, "component_count");
  need(entry.component != nullptr, "component");
  need(entry.create != nullptr, "create");
  need(entry.destroy != nullptr, "destroy");
  need(entry.get_interface != nullptr, "get_interface");
}

}  // namespace

PluginLibrary::PluginLibrary(const std::filesystem::path& path) : path_(path), handle_(std::make_unique<Handle>()) {
  check_file(path);
  using boost::dll::load_mode::type;
  // All symbols now, so that a missing one is found here; local, so that plugins cannot disturb each other; never
  // unmapped, because LibTorch leaves thread locals and unique symbols behind.
  const auto mode = static_cast<type>(RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  try {
    handle_->library.load(path, mode);
  } catch (const std::exception& error) {
    refuse(path, std::string("cannot be loaded: ") + error.what());  // the error code misleads, the text does not
  }
  if (!handle_->library.has(RETORT_PLUGIN_ENTRY_SYMBOL))
    refuse(path, "exports no symbol " RETORT_PLUGIN_ENTRY_SYMBOL
                 ": it is not a Retort plugin of ABI 1; define the entry with RETORT_PLUGIN or as sdk/README.md shows");
  entry_ = &handle_->library.get<const retort_plugin_entry>(RETORT_PLUGIN_ENTRY_SYMBOL);
  check_entry(path, *entry_);
}

PluginLibrary::~PluginLibrary() = default;

void PluginLibrary::start() const {
  throw_if_error(entry_->init(&host_services()), "'" + path_.string() + "' refused to start");
}

namespace {

struct LoadedPlugins {
  std::mutex mutex;
  std::map<std::filesystem::path, std::unique_ptr<PluginLibrary>> by_path;
  std::vector<const retort_plugin_entry*> in_order;
};

/// Never destroyed: components may outlive every other static object.
LoadedPlugins& loaded_plugins() {
  static auto* const all = new LoadedPlugins;
  return *all;
}

/// Registered once a library, after it was loaded: exit handlers run last first, so that this shutdown() comes before
/// the library's own static objects go.
void shut_down_last() {
  LoadedPlugins& all = loaded_plugins();
  const std::lock_guard lock(all.mutex);
  const retort_plugin_entry* entry = all.in_order.back();
  all.in_order.pop_back();
  if (entry->shutdown != nullptr) entry->shutdown();
}

}  // namespace

const PluginLibrary& loaded_plugin(const std::filesystem::path& path) {
  LoadedPlugins& all = loaded_plugins();
  const std::lock_guard lock(all.mutex);
  std::unique_ptr<PluginLibrary>& slot = all.by_path[path];
  if (!slot) {
    auto library = std::make_unique<PluginLibrary>(path);
    library->start();
    slot = std::move(library);
    all.in_order.push_back(&slot->entry());
    std::atexit(shut_down_last);
  }
  return *slot;
}

}  // namespace retort::host
