#include "config_options.h"

namespace retort::apps {

namespace po = boost::program_options;
using Strings = std::vector<std::string>;

void add_plugin_options(po::options_description& options) {
  options.add_options()("plugin-path", po::value<Strings>()->composing()->value_name("FOLDER"),
                        "also search this folder for plugins, before all others; may be repeated")(
      "allow-writable-plugins", po::bool_switch(), "load plugins that other users could have changed");
}

host::SearchOptions search_options(const po::variables_map& variables) {
  host::SearchOptions search;
  if (variables.count("plugin-path") > 0)
    for (const std::string& folder : variables["plugin-path"].as<Strings>())
      search.folders.push_back(std::filesystem::absolute(folder));
  search.allow_writable = variables["allow-writable-plugins"].as<bool>();
  return search;
}

void add_config_options(po::options_description& options, po::options_description& hidden,
                        po::positional_options_description& positional) {
  options.add_options()("set", po::value<Strings>()->composing()->value_name("KEY=VALUE"),
                        "override a value: seed=3, sft.epochs=5, stages.rl.algorithm.clip=0.1; VALUE is JSON or text; "
                        "may be repeated");
  add_plugin_options(options);
  hidden.add_options()("config", po::value<std::string>()->required());
  positional.add("config", 1);
}

host::ResolvedConfig load_config(const po::variables_map& variables, std::optional<host::Registry>& registry) {
  const Strings overrides = variables.count("set") > 0 ? variables["set"].as<Strings>() : Strings();
  return host::load_and_resolve(variables["config"].as<std::string>(), overrides, search_options(variables), registry);
}

std::filesystem::path run_directory(const po::variables_map& variables, const host::ResolvedConfig& config) {
  if (variables.count("run-dir") > 0) return variables["run-dir"].as<std::string>();
  return std::filesystem::path("runs") / config.name;
}

}  // namespace retort::apps
