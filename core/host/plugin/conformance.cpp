// The parts of the contract that all components share; conformance_<interface>.cpp hold the rest.
#include "host/plugin/conformance.h"

#include <retort/abi/distill.h>
#include <retort/abi/environment.h>
#include <retort/abi/preference.h>
#include <retort/abi/pruner.h>
#include <retort/abi/quantizer.h>
#include <retort/abi/reward.h>
#include <retort/abi/rl.h>
#include <retort/abi/sparsifier.h>
#include <retort/abi/stage.h>
#include <retort/abi/teacher.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "host/base/child_process.h"
#include "host/base/files.h"
#include "host/base/installation.h"
#include "host/plugin/conformance_checks.h"
#include "host/plugin/conformance_slots.h"
#include "host/plugin/known_interfaces.h"
#include "host/plugin/parameter_schema.h"
#include "host/plugin/plugin_description.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/plugin_library.h"

namespace retort::host {
namespace {

Json line_of(const ConformanceCheck& check) {
  return {{"component", check.component}, {"check", check.name}, {"outcome", check.outcome}, {"detail", check.detail}};
}

void check_unknown_index(const retort_plugin_entry& entry) {
  const std::uint32_t count = entry.component_count();
  expect(entry.component(count) == nullptr, "component(component_count()) is not NULL");
  retort_instance* instance = nullptr;
  const retort_create_arguments arguments{sizeof(retort_create_arguments), count, nullptr, 0, nullptr, 0};
  retort_error* error = entry.create(&arguments, &instance);
  const bool refused = error != nullptr;
  host_services().error_free(error);
  expect(refused, "create(component_count()) returned no error");
}

/// What to create the component with: `given`, or defaults where nothing is.
Json parameters_for(const ComponentInfo& info, const Json& given) {
  if (given.is_null()) {
    if (has_defaults_for_all(info.parameters_schema)) return least_parameters(info.parameters_schema);
    throw CheckSkipped{"it has required parameters: give them with --parameters"};
  }
  Json parameters = given;
  std::vector<Diagnostic> found;
  validate_parameters(info.parameters_schema, parameters, "", found);
  for (const Diagnostic& diagnostic : found) throw CheckFailed{diagnostic.pointer + ": " + diagnostic.message};
  return parameters;
}

void check_twice(const retort_plugin_entry& entry, std::uint32_t index, const Json& parameters,
                 const std::vector<retort_bound_component>& components) {
  const ScopedInstance first(entry, index, parameters, components);
  {
    const ScopedInstance second(entry, index, parameters, components);
    expect(first.get() != second.get(), "two calls of create() returned the same instance");
  }
  const ScopedInstance third(entry, index, parameters, components);
  entry.destroy(nullptr);
}

void check_interface_of(CheckLog& log, const Subject& subject, const std::string& interface) {
  using Check = void (*)(CheckLog&, const Subject&);
  static const std::map<std::string, Check> checks = {
      {RETORT_DISTILL_INTERFACE, check_distill},        {RETORT_RL_INTERFACE, check_rl},
      {RETORT_PREFERENCE_INTERFACE, check_preference},  {RETORT_QUANTIZER_INTERFACE, check_quantizer},
      {RETORT_SPARSIFIER_INTERFACE, check_sparsifier},  {RETORT_PRUNER_INTERFACE, check_pruner},
      {RETORT_TEACHER_INTERFACE, check_teacher},        {RETORT_REWARD_INTERFACE, check_reward},
      {RETORT_ENVIRONMENT_INTERFACE, check_environment}};
  if (const auto found = checks.find(interface); found != checks.end()) found->second(log, subject);
}

void check_component(CheckLog& log, const retort_plugin_entry& entry, std::uint32_t index, const ComponentInfo& info,
                     const Json& given) {
  const KnownInterface& known = *find_interface(info.interface);
  log.run(info.id, "id and summary", [&] {
    expect(info.id.starts_with(std::string(known.prefix) + "."),
           "ids of " + info.interface + " begin with \"" + std::string(known.prefix) + ".\"");
    expect(!info.summary.empty() && info.summary.find('\n') == std::string::npos, "the summary is not one line");
  });
  std::vector<retort_bound_component> components;
  Json parameters;
  const bool created = log.run(info.id, "created and destroyed twice", [&] {
    parameters = parameters_for(info, given);
    components = stand_ins(info);
    check_twice(entry, index, parameters, components);
  });
  if (!created) return;
  const ScopedInstance instance(entry, index, parameters, components);
  const void* table = nullptr;
  const bool offered = log.run(info.id, "offers " + info.interface + " and nothing unknown", [&] {
    expect(entry.get_interface(instance.get(), to_abi("retort.no-such-interface/1")) == nullptr,
           "get_interface() of an unknown interface is not NULL");
    table = entry.get_interface(instance.get(), to_abi(info.interface));
    const std::string reason = invalid_table_reason(known, table);
    expect(reason.empty(), reason);
  });
  if (offered) check_interface_of(log, {info.id, instance.get(), table}, info.interface);
}

/// The lines of a report; a check that was announced and never finished is `unfinished`.
void read_lines(const std::string& text, ConformanceReport& report, ConformanceCheck& unfinished) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const Json json = parse_json(line, "the report of the checks");
    ConformanceCheck check{json.at("component"), json.at("check"), json.at("outcome"), json.at("detail")};
    if (check.outcome == "begun") {
      unfinished = std::move(check);
    } else {
      unfinished = {};
      report.checks.push_back(std::move(check));
    }
  }
}

}  // namespace

void expect(bool holds, const std::string& detail) {
  if (!holds) throw CheckFailed{detail};
}

void CheckLog::write(const ConformanceCheck& check) const {
  const std::string line = line_of(check).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  write_all(descriptor_, line.data(), line.size());
}

bool CheckLog::run(const std::string& component, const std::string& name, const std::function<void()>& body) {
  ConformanceCheck check{component, name, "begun", ""};
  write(check);
  check.outcome = "failed";
  try {
    body();
    check.outcome = "passed";
  } catch (const CheckFailed& failure) {
    check.detail = failure.detail;
  } catch (const CheckSkipped& skipped) {
    check.outcome = "skipped";
    check.detail = skipped.detail;
  } catch (const std::exception& error) {
    check.detail = error.what();
  }
  write(check);
  return check.outcome == "passed";
}

int check_plugin_in_this_process(const std::filesystem::path& path, int descriptor, const Json& parameters) {
  CheckLog log(descriptor);
  std::unique_ptr<PluginLibrary> library;
  PluginInfo info;
  const bool described = log.run("", "loads and describes its components", [&] {
    library = std::make_unique<PluginLibrary>(path);
    info = describe_plugin(*library);
  });
  if (!described) return 0;
  const retort_plugin_entry& entry = library->entry();
  log.run("", "refuses a component index that is out of range", [&] { check_unknown_index(entry); });
  for (std::uint32_t index = 0; index < info.components.size(); ++index)
    check_component(log, entry, index, info.components[index], parameters.value(info.components[index].id, Json()));
  for (const auto& [id, ignored] : parameters.items())
    if (std::none_of(info.components.begin(), info.components.end(), [&](const auto& one) { return one.id == id; }))
      log.run("", "parameters are of its components", [&] { throw CheckFailed{"it has no component \"" + id + "\""}; });
  log.run("", "shuts down", [&] {
    if (entry.shutdown != nullptr) entry.shutdown();
  });
  return 0;
}

ConformanceReport check_plugin(const std::filesystem::path& library, double seconds, const Json& parameters) {
  ConformanceReport report;
  report.library = std::filesystem::absolute(library);
  ConformanceCheck unfinished;
  try {
    const ChildResult child =
        run_child(scanner_executable(), {"check", report.library.string()}, seconds, parameters.dump());
    read_lines(child.output.substr(0, child.output.rfind('\n') + 1), report, unfinished);
    if (!child.succeeded() || !unfinished.name.empty()) {
      if (unfinished.name.empty()) unfinished.name = "stays alive";
      report.checks.push_back({unfinished.component, unfinished.name, "failed",
                               "the process " + how_it_ended(child, seconds) + " during this check"});
    }
  } catch (const std::exception& error) {
    report.checks.push_back({"", "can be checked", "failed", error.what()});
  }
  return report;
}

bool ConformanceReport::passed() const {
  for (const ConformanceCheck& check : checks)
    if (check.outcome == "failed") return false;
  return !checks.empty();
}

Json to_json(const ConformanceReport& report) {
  Json checks = Json::array();
  for (const ConformanceCheck& check : report.checks) checks.push_back(line_of(check));
  return {{"library", report.library.string()}, {"passed", report.passed()}, {"checks", checks}};
}

}  // namespace retort::host
