// Reading a config, and its list of plugins. Overrides and references: config_override.cpp, config_reference.cpp.
#include "host/config/config.h"

#include <algorithm>
#include <stdexcept>

namespace retort::host {

std::string pointer_to(const std::string& pointer, const std::string& key) {
  std::string escaped;
  for (const char c : key) escaped += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return pointer + "/" + escaped;
}

std::string pointer_to(const std::string& pointer, std::size_t index) {
  return pointer + "/" + std::to_string(index);
}

Config load_config(const std::filesystem::path& file, const std::vector<std::string>& overrides,
                   std::vector<Diagnostic>& diagnostics) {
  Config config{std::filesystem::absolute(file), read_json(file)};
  if (!config.document.is_object())
    throw std::invalid_argument(file.string() + ": expected a JSON object with \"stages\", found " +
                                config.document.type_name());
  for (const std::string& text : overrides) apply_override(config.document, text, diagnostics);
  substitute_references(config.document, diagnostics);
  return config;
}

namespace {

bool is_sha256(const std::string& text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

void add_plugin(const Config& config, const Json& entry, const std::string& pointer, SearchOptions& options,
                std::vector<Diagnostic>& diagnostics) {
  const bool object = entry.is_object();
  const Json path = object ? entry.value("path", Json()) : entry;
  if (!path.is_string() || path.get_ref<const std::string&>().empty()) {
    diagnostics.push_back({pointer, "expected a path or {\"path\": …, \"sha256\": …}, found " + entry.dump(), ""});
    return;
  }
  std::filesystem::path library = path.get<std::string>();
  if (library.is_relative()) library = config.file.parent_path() / library;
  library = library.lexically_normal();
  if (!std::filesystem::is_regular_file(library)) {
    diagnostics.push_back({object ? pointer_to(pointer, "path") : pointer, "no such file: " + library.string(),
                           "plugin paths are relative to the config file"});
    return;
  }
  options.libraries.push_back(library);
  if (!object) return;
  for (const auto& [key, value] : entry.items())
    if (key != "path" && key != "sha256")
      diagnostics.push_back({pointer_to(pointer, key), "unknown key; a plugin has \"path\" and \"sha256\"", ""});
  if (!entry.contains("sha256")) return;
  const Json& pin = entry["sha256"];
  if (!pin.is_string() || !is_sha256(pin.get<std::string>())) {
    diagnostics.push_back(
        {pointer_to(pointer, "sha256"), "expected 64 lower-case hexadecimal digits, found " + pin.dump(), ""});
    return;
  }
  const std::string file = std::filesystem::canonical(library).string();
  const auto [place, is_new] = options.sha256.emplace(file, pin.get<std::string>());
  if (!is_new && place->second != pin.get<std::string>())
    diagnostics.push_back({pointer_to(pointer, "sha256"),
                           "a second, different pin of " + file + "; the first is " + place->second, "keep one"});
}

/// What a member of "plugins" names, or nothing.
std::filesystem::path library_of(const Config& config, const Json& entry) {
  const Json path = entry.is_object() ? entry.value("path", Json()) : entry;
  if (!path.is_string()) return {};
  const std::filesystem::path library = config.file.parent_path() / path.get<std::string>();
  std::error_code error;
  const std::filesystem::path file = std::filesystem::canonical(library, error);
  return error ? std::filesystem::path() : file;
}

}  // namespace

void add_config_plugins(const Config& config, SearchOptions& options, std::vector<Diagnostic>& diagnostics) {
  const auto plugins = config.document.find("plugins");
  if (plugins == config.document.end()) return;
  if (!plugins->is_array()) {
    diagnostics.push_back({"/plugins", std::string("expected an array, found ") + plugins->type_name(), ""});
    return;
  }
  for (std::size_t i = 0; i < plugins->size(); ++i)
    add_plugin(config, (*plugins)[i], pointer_to("/plugins", i), options, diagnostics);
}

void check_config_plugins(const Config& config, const Registry& registry, std::vector<Diagnostic>& diagnostics) {
  const auto plugins = config.document.find("plugins");
  if (plugins == config.document.end() || !plugins->is_array()) return;
  for (std::size_t i = 0; i < plugins->size(); ++i)
    for (const PluginInfo& refused : registry.refused())
      if (refused.library == library_of(config, (*plugins)[i]))
        diagnostics.push_back({pointer_to("/plugins", i), refused.refusal, ""});
}

}  // namespace retort::host
