// Options and steps that the commands about a config share.
#pragma once

#include <filesystem>
#include <optional>

#include "command.h"
#include "host/config/resolved_config.h"

namespace retort::apps {

/// --plugin-path and --allow-writable-plugins.
void add_plugin_options(boost::program_options::options_description& options);
host::SearchOptions search_options(const boost::program_options::variables_map& variables);

/// The positional CONFIG, --set, and the plugin options.
void add_config_options(boost::program_options::options_description& options,
                        boost::program_options::options_description& hidden,
                        boost::program_options::positional_options_description& positional);

/// Throws host::ConfigError with everything that is wrong.
host::ResolvedConfig load_config(const boost::program_options::variables_map& variables,
                                 std::optional<host::Registry>& registry);

/// --run-dir, or runs/<config name>.
std::filesystem::path run_directory(const boost::program_options::variables_map& variables,
                                    const host::ResolvedConfig& config);

}  // namespace retort::apps
