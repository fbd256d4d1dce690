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

#include "host/base/numeric_environment.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/process_end.h"

namespace retort::host {

struct PluginLibrary::Handle {
  boost::dll::shared_library library;
};

namespace {

[[noreturn]] void refuse(const std::filesystem::path& path, const std::string& why) {
  throw std::runtime_error("'" + path.string() + "' " + why);
}

std::string own_header() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  std::string header(sizeof(Elf64_Ehdr), '\0');
  file.read(header.data(), static_cast<std::streamsize>(header.size()));
  header.resize(static_cast<std::size_t>(file.gcount()));
  return header;
}

LibraryFile opened(const std::filesystem::path& path) {
  if (!path.is_absolute()) refuse(path, "is not an absolute path; plugins are never looked up by a bare name");
  std::error_code error;
  if (!std::filesystem::exists(path, error)) refuse(path, "does not exist");
  if (!std::filesystem::is_regular_file(path, error)) refuse(path, "is not a file");
  return LibraryFile(std::filesystem::canonical(path));
}

/// Says plainly what dlopen would say in its own words.
void check_file(const LibraryFile& file) {
  const std::filesystem::path& path = file.path();
  const std::string header = file.beginning(sizeof(Elf64_Ehdr));
  if (header.size() < sizeof(Elf64_Ehdr) || std::memcmp(header.data(), ELFMAG, SELFMAG) != 0)
    refuse(path, "is not a shared library: it has no ELF header");
  Elf64_Ehdr found{}, own{};
  std::memcpy(&found, header.data(), sizeof found);
  const std::string self = own_header();
  if (self.size() == sizeof own) std::memcpy(&own, self.data(), sizeof own);
  if (found.e_ident[EI_CLASS] != own.e_ident[EI_CLASS] || found.e_machine != own.e_machine)
    refuse(path, "was built for another kind of machine; build the plugin on this one");
  if (found.e_type != ET_DYN) refuse(path, "is not a shared library: its ELF type is " + std::to_string(found.e_type));
}

/// The loader's text, with the library as people know it.
std::string with_name(std::string text, const std::filesystem::path& opened_path, const std::filesystem::path& path) {
  const std::string name = opened_path.string();
  for (std::size_t at = 0; (at = text.find(name, at)) != std::string::npos; at += path.native().size())
    text.replace(at, name.size(), path.string());
  return text;
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

PluginLibrary::PluginLibrary(const std::filesystem::path& path) : PluginLibrary(opened(path)) {}

PluginLibrary::PluginLibrary(LibraryFile file) : file_(std::move(file)), handle_(std::make_unique<Handle>()) {
  check_file(file_);
  const std::filesystem::path& path = file_.path();
  const std::filesystem::path opened_path = file_.loading_path();
  using boost::dll::load_mode::type;
  // All symbols now, so that a missing one is found here; local, so that plugins cannot disturb each other; never
  // unmapped, because LibTorch leaves thread locals and unique symbols behind.
  const auto mode = static_cast<type>(RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  try {
    handle_->library.load(opened_path, mode);
  } catch (const std::exception& error) {
    refuse(path, "cannot be loaded: " + with_name(error.what(), opened_path, path));  // the code misleads, not the text
  }
  file_.loading_path();  // throws if the file was replaced meanwhile
  restore_floating_point("'" + path.string() + "', when it was loaded");
  if (!handle_->library.has(RETORT_PLUGIN_ENTRY_SYMBOL))
    refuse(path, "exports no symbol " RETORT_PLUGIN_ENTRY_SYMBOL
                 ": it is not a Retort plugin of ABI 1; define the entry with RETORT_PLUGIN or as sdk/README.md shows");
  entry_ = &handle_->library.get<const retort_plugin_entry>(RETORT_PLUGIN_ENTRY_SYMBOL);
  check_entry(path, *entry_);
}

PluginLibrary::~PluginLibrary() = default;

void PluginLibrary::start() const {
  retort_error* error = entry_->init(&host_services());
  restore_floating_point("'" + path().string() + "': init()");
  throw_if_error(error, "'" + path().string() + "' refused to start");
}

namespace {

struct LoadedPlugins {
  std::mutex mutex;
  std::map<std::filesystem::path, std::unique_ptr<PluginLibrary>> by_path;
  std::vector<const PluginLibrary*> in_order;
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
  const PluginLibrary* library = all.in_order.back();
  all.in_order.pop_back();
  if (library->entry().shutdown == nullptr) return;
  const ExitStep step("shutdown() of '" + library->path().string() + "'");
  library->entry().shutdown();
}

}  // namespace

const PluginLibrary& loaded_plugin(const std::filesystem::path& path) {
  return loaded_plugin(opened(path));
}

const PluginLibrary& loaded_plugin(LibraryFile&& file) {
  LoadedPlugins& all = loaded_plugins();
  const std::lock_guard lock(all.mutex);
  std::unique_ptr<PluginLibrary>& slot = all.by_path[file.path()];
  if (!slot) {
    const UnaskedExit watch("'" + file.path().string() + "', while it was loaded");
    auto library = std::make_unique<PluginLibrary>(std::move(file));
    library->start();
    slot = std::move(library);
    all.in_order.push_back(slot.get());
    std::atexit(shut_down_last);
  }
  return *slot;
}

}  // namespace retort::host
