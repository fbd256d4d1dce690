// retort plugins list | show ID | check FILE
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <map>
#include <stdexcept>

#include "component_description.h"
#include "config_options.h"
#include "host/base/printable.h"
#include "host/plugin/conformance.h"
#include "host/plugin/plugin_description.h"
#include "host/plugin/plugin_scan_cache.h"
#include "host/plugin/registry.h"

namespace retort::apps {

namespace po = boost::program_options;
using host::Json;

namespace {

po::options_description json_option() {
  po::options_description options("options");
  options.add_options()("json", po::bool_switch(), "print JSON");
  return options;
}

/// Paths need not be UTF-8.
void print_json(const Json& document) {
  std::cout << document.dump(2, ' ', false, Json::error_handler_t::replace) << "\n";
}

struct ListedComponent {
  const host::ComponentInfo* info;
  bool hidden;  ///< another library offers the same id earlier in the search order
};

std::vector<ListedComponent> listed_components(const host::Registry& registry) {
  std::vector<ListedComponent> all;
  for (const host::PluginInfo& plugin : registry.plugins())
    for (const host::ComponentInfo& component : plugin.components)
      all.push_back({&component, registry.find(component.id)->library != component.library});
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.info->id < b.info->id; });
  return all;
}

void print_list(const host::Registry& registry) {
  const auto components = listed_components(registry);
  std::size_t id_width = 0, version_width = 0;
  for (const auto& [info, hidden] : components) {
    id_width = std::max(id_width, info->id.size());
    version_width = std::max(version_width, info->version.size());
  }
  for (const auto& [info, hidden] : components)
    std::cout << std::left << std::setw(static_cast<int>(id_width + 2)) << info->id
              << std::setw(static_cast<int>(version_width + 2)) << info->version << host::printable(info->summary)
              << (hidden ? " (hidden: '" + info->library.string() + "' comes later in the search order)" : "") << "\n";
  if (components.empty()) std::cout << "no components\n";
  for (const host::PluginInfo& plugin : registry.refused())
    std::cerr << "refused: " << host::printable(plugin.refusal) << "\n";
}

int list(const Arguments& arguments) {
  po::options_description options = json_option();
  options.add_options()("rescan", po::bool_switch(), "forget earlier scans, quarantined libraries among them");
  add_plugin_options(options);
  const auto variables = parse_command_line(
      arguments,
      {"retort plugins list [options]",
       "Lists every component that can be used, and every library that was refused and why.", "retort plugins list"},
      options, {});
  if (!variables) return exit_success;
  const host::SearchOptions search = search_options(*variables);
  if ((*variables)["rescan"].as<bool>()) host::forget_scans(host::default_cache_folder());
  const host::Registry registry(search);
  if (!(*variables)["json"].as<bool>()) {
    print_list(registry);
    return exit_success;
  }
  Json document = {{"folders", Json::array()}, {"plugins", Json::array()}, {"refused", Json::array()}};
  for (const auto& [folder, reason] : host::search_folders(search))
    document["folders"].push_back({{"folder", folder.string()}, {"from", reason}});
  for (const host::PluginInfo& plugin : registry.plugins()) document["plugins"].push_back(host::to_json(plugin));
  for (const host::PluginInfo& plugin : registry.refused())
    document["refused"].push_back({{"library", plugin.library.string()}, {"refusal", plugin.refusal}});
  print_json(document);
  return exit_success;
}

const host::ComponentInfo& find_component(const host::Registry& registry, const std::string& id) {
  const host::ComponentInfo* component = registry.find(id);
  if (component != nullptr) return *component;
  const std::string nearest = host::nearest_name(id, registry.component_ids());
  throw std::invalid_argument("unknown component \"" + id + "\"" +
                              (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?") +
                              "; `retort plugins list` shows all, and which libraries were refused");
}

int show(const Arguments& arguments) {
  po::options_description options = json_option(), hidden;
  add_plugin_options(options);
  hidden.add_options()("id", po::value<std::string>()->required());
  const auto variables = parse_command_line(
      arguments,
      {"retort plugins show ID [options]",
       "Shows one component: where it is from, its slots, its parameters, and how a config names it.",
       "retort plugins show distill.forward_kl"},
      options, po::positional_options_description().add("id", 1), hidden);
  if (!variables) return exit_success;
  const host::Registry registry(search_options(*variables));
  const host::ComponentInfo& component = find_component(registry, (*variables)["id"].as<std::string>());
  if ((*variables)["json"].as<bool>()) {
    const Json document = {{"id", component.id},
                           {"interface", component.interface},
                           {"version", component.version},
                           {"summary", component.summary},
                           {"slots", host::to_json(component.slots)},
                           {"stage", component.stage},
                           {"parameters", component.parameters_schema},
                           {"example", example_entry(component, registry)},
                           {"library", component.library.string()}};
    print_json(document);
    return exit_success;
  }
  std::cout << host::printable(component_description(component, registry));
  return exit_success;
}

int check(const Arguments& arguments) {
  po::options_description options = json_option(), hidden;
  options.add_options()("seconds", po::value<double>()->default_value(120), "time limit of all checks together")(
      "parameters", po::value<std::string>()->default_value("{}"),
      "JSON: parameters of components by their ids, {\"environment.process\": {\"program\": …}}");
  hidden.add_options()("file", po::value<std::string>()->required());
  const auto variables = parse_command_line(
      arguments,
      {"retort plugins check FILE [options]",
       "Checks a plugin against the SDK's contract in a process of its own. Exit code 1: a check failed.",
       "retort plugins check ./my_plugin.so"},
      options, po::positional_options_description().add("file", 1), hidden);
  if (!variables) return exit_success;
  const std::string file = (*variables)["file"].as<std::string>();
  if (!std::filesystem::is_regular_file(file)) throw std::invalid_argument("'" + file + "' is not a file");
  const Json parameters = host::parse_json((*variables)["parameters"].as<std::string>(), "--parameters");
  if (!parameters.is_object()) throw std::invalid_argument("--parameters: expected a JSON object");
  const host::ConformanceReport report = host::check_plugin(file, (*variables)["seconds"].as<double>(), parameters);
  if ((*variables)["json"].as<bool>()) {
    print_json(host::to_json(report));
  } else {
    std::map<std::string, int> outcomes;
    for (const host::ConformanceCheck& one : report.checks) {
      ++outcomes[one.outcome];
      std::cout << std::left << std::setw(9) << one.outcome << (one.component.empty() ? "" : one.component + ": ")
                << one.name << "\n";
      if (!one.detail.empty()) std::cout << "         " << host::printable(one.detail) << "\n";
    }
    std::cout << outcomes["passed"] << " passed, " << outcomes["failed"] << " failed, " << outcomes["skipped"]
              << " skipped\n";
  }
  return report.passed() ? exit_success : exit_failure;
}

const char* const usage = R"(usage: retort plugins list [options]
       retort plugins show ID [options]
       retort plugins check FILE [options]

Lists, describes and verifies plugins. Libraries are looked at in a child process, never loaded by this one.
`retort plugins COMMAND --help` shows the options.
)";

}  // namespace

int plugins_command(const Arguments& arguments) {
  static const std::map<std::string, Command> commands = {{"list", list}, {"show", show}, {"check", check}};
  if (!arguments.empty() && (arguments[0] == "--help" || arguments[0] == "-h")) {
    std::cout << usage;
    return exit_success;
  }
  if (arguments.empty())
    throw std::invalid_argument("plugins: expected list, show or check; see `retort plugins --help`");
  const auto command = commands.find(arguments[0]);
  if (command == commands.end())
    throw std::invalid_argument("plugins: unknown command \"" + arguments[0] + "\", expected list, show or check");
  return command->second(Arguments(arguments.begin() + 1, arguments.end()));
}

}  // namespace retort::apps
