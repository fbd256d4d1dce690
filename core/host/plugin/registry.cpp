// The registry's own work: judge each candidate, scan it or remember its scan, and make instances on demand.
#include "host/plugin/registry.h"

#include <algorithm>
#include <atomic>
#include <stdexcept>
#include <thread>

#include "host/base/diagnostic.h"
#include "host/base/files.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/plugin_library.h"
#include "host/plugin/plugin_scan.h"
#include "host/plugin/plugin_scan_cache.h"
#include "host/plugin/plugin_search.h"
#include "host/plugin/plugin_trust.h"

namespace retort::host {
namespace {

struct Offer {
  std::shared_ptr<const ComponentInfo> info;
  FileIdentity file;
};

struct Candidate {
  PluginInfo info;
  bool known = false;  ///< `info` is final: refused without a scan, or remembered
};

std::string pin_refusal(const LibraryFile& library, const std::map<std::string, std::string>& pins) {
  const auto pin = pins.find(library.path().string());
  if (pin == pins.end()) return "";
  std::string wanted = pin->second;
  std::transform(wanted.begin(), wanted.end(), wanted.begin(), [](unsigned char c) { return std::tolower(c); });
  const std::string found = library.sha256();
  if (found == wanted) return "";
  return "has the SHA-256 " + found + ", pinned is " + wanted + ": restore the pinned file, or correct the pin";
}

/// Opens what may be loaded; throws std::runtime_error for what must not even be scanned.
LibraryFile open_library(const std::filesystem::path& library, const SearchOptions& options) {
  const std::string name = "'" + library.string() + "' ";
  std::error_code error;
  if (!std::filesystem::exists(library, error)) throw std::runtime_error(name + "does not exist");
  if (!std::filesystem::is_regular_file(library, error)) throw std::runtime_error(name + "is not a file");
  LibraryFile file(library);
  if (!options.allow_writable && !file.distrust_reason().empty())
    throw std::runtime_error(name + "is not trusted: " + file.distrust_reason() + " (or allow writable plugins)");
  if (const std::string reason = pin_refusal(file, options.sha256); !reason.empty())
    throw std::runtime_error(name + reason);
  return file;
}

Candidate examine(const std::filesystem::path& library, const SearchOptions& options, const PluginScanCache& cache) {
  Candidate candidate;
  candidate.info.library = library;
  try {
    const FileIdentity file = open_library(library, options).identity();
    if (auto remembered = cache.find(file, options.scan_seconds)) {
      candidate.info = std::move(*remembered);
      candidate.known = true;
    }
    candidate.info.file = file;
  } catch (const std::exception& refusal) {
    candidate.info.refusal = refusal.what();
    candidate.known = true;
  }
  return candidate;
}

/// A scan mostly waits for a child that maps libraries: a few at a time.
void scan_unknown(std::vector<Candidate>& candidates, double seconds, PluginScanCache& cache) {
  std::vector<Candidate*> unknown;
  for (Candidate& candidate : candidates)
    if (!candidate.known) unknown.push_back(&candidate);
  std::vector<ScanResult> results(unknown.size());
  std::atomic<std::size_t> next{0};
  const auto work = [&] {
    for (std::size_t i = next++; i < unknown.size(); i = next++)
      results[i] = scan_plugin(unknown[i]->info.file, seconds);
  };
  std::vector<std::thread> workers;
  const std::size_t parallel =
      std::min<std::size_t>({unknown.size(), std::max(1u, std::thread::hardware_concurrency()), 4});
  for (std::size_t i = 1; i < parallel; ++i) workers.emplace_back(work);
  work();
  for (std::thread& worker : workers) worker.join();
  for (std::size_t i = 0; i < unknown.size(); ++i) {
    cache.store(unknown[i]->info.file, results[i], seconds);
    results[i].info.file = unknown[i]->info.file;
    unknown[i]->info = std::move(results[i].info);
  }
}

/// The slot's interface must be the declared one: its functions are handed out by that.
void check_slot(const ComponentInfo& info, const FilledSlot& slot) {
  std::vector<std::string> names;
  for (const SlotInfo& declared : info.slots) {
    names.push_back(declared.name);
    if (declared.name != slot.slot) continue;
    if (declared.interface == slot.interface) return;
    throw std::invalid_argument(info.id + ": slot \"" + slot.slot + "\" takes a component of " + declared.interface +
                                ", found " + slot.component.info().id + " as " + slot.interface);
  }
  const std::string nearest = nearest_name(slot.slot, names);
  throw std::invalid_argument(info.id + " has no slot \"" + slot.slot + "\"" +
                              (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
}

}  // namespace

struct Registry::State {
  SearchOptions options;
  std::vector<PluginInfo> plugins, refused;
  std::map<std::string, Offer> offers;

  void sort_out(std::vector<Candidate>& candidates);
  void check_pins_are_used(const std::vector<std::filesystem::path>& candidates) const;
  const Offer& offer(const std::string& id) const;
};

void Registry::State::sort_out(std::vector<Candidate>& candidates) {
  for (Candidate& candidate : candidates) {
    if (!candidate.info.refusal.empty()) {
      refused.push_back(std::move(candidate.info));
      continue;
    }
    for (const ComponentInfo& component : candidate.info.components)
      offers.try_emplace(component.id, Offer{std::make_shared<const ComponentInfo>(component), candidate.info.file});
    plugins.push_back(std::move(candidate.info));
  }
}

/// A misspelt pin would protect nothing.
void Registry::State::check_pins_are_used(const std::vector<std::filesystem::path>& candidates) const {
  for (const auto& [path, hash] : options.sha256)
    if (std::find(candidates.begin(), candidates.end(), path) == candidates.end())
      throw std::invalid_argument("'" + path +
                                  "' is pinned to a SHA-256, but no plugin of that path, with symbolic "
                                  "links resolved, was found: the pin would protect nothing; correct or remove it");
}

const Offer& Registry::State::offer(const std::string& id) const {
  const auto found = offers.find(id);
  if (found != offers.end()) return found->second;
  std::vector<std::string> ids;
  for (const auto& [known, offer] : offers) ids.push_back(known);
  std::string text = "unknown component \"" + id + "\"";
  if (const std::string nearest = nearest_name(id, ids); !nearest.empty())
    text += "; did you mean \"" + nearest + "\"?";
  if (!refused.empty()) text += "; it may be in a library that was refused:";
  for (const PluginInfo& plugin : refused) text += "\n  " + plugin.refusal;
  throw std::invalid_argument(text);
}

Registry::Registry(SearchOptions options) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  const SearchOptions& chosen = state_->options;
  PluginScanCache cache(chosen.cache_folder.empty() ? default_cache_folder() : chosen.cache_folder);
  const std::vector<std::filesystem::path> libraries = candidate_libraries(chosen);
  state_->check_pins_are_used(libraries);
  std::vector<Candidate> candidates;
  for (const std::filesystem::path& library : libraries) candidates.push_back(examine(library, chosen, cache));
  scan_unknown(candidates, chosen.scan_seconds, cache);
  cache.save();
  state_->sort_out(candidates);
}

Registry::Registry(SearchOptions options, std::vector<PluginInfo> scanned) : state_(std::make_unique<State>()) {
  state_->options = std::move(options);
  std::vector<Candidate> candidates;
  for (PluginInfo& info : scanned) candidates.push_back({std::move(info), true});
  state_->sort_out(candidates);
}

Registry::~Registry() = default;
Registry::Registry(Registry&&) noexcept = default;

const SearchOptions& Registry::options() const {
  return state_->options;
}
const std::vector<PluginInfo>& Registry::plugins() const {
  return state_->plugins;
}
const std::vector<PluginInfo>& Registry::refused() const {
  return state_->refused;
}

const ComponentInfo* Registry::find(const std::string& component_id) const {
  const auto found = state_->offers.find(component_id);
  return found == state_->offers.end() ? nullptr : found->second.info.get();
}

std::vector<std::string> Registry::component_ids(const std::string& interface_id) const {
  std::vector<std::string> ids;
  for (const auto& [id, offer] : state_->offers)
    if (interface_id.empty() || offer.info->interface == interface_id) ids.push_back(id);
  return ids;
}

Component Registry::create(const std::string& component_id, const Json& parameters,
                           std::vector<FilledSlot> slots) const {
  const Offer& offer = state_->offer(component_id);
  for (const FilledSlot& slot : slots) check_slot(*offer.info, slot);
  const std::filesystem::path& library = offer.info->library;
  LibraryFile file = open_library(library, state_->options);
  if (file.identity() != offer.file)
    throw std::runtime_error("'" + library.string() + "' changed after it was scanned; start again");
  return load_component(std::move(file), offer.info, parameters, std::move(slots));
}

}  // namespace retort::host
