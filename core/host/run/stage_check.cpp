#include "host/run/stage_check.h"

#include <retort/abi/stage.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <sstream>

#include "host/base/child_process.h"
#include "host/base/files.h"
#include "host/base/installation.h"
#include "host/base/log.h"
#include "host/base/redaction.h"
#include "host/base/utf8.h"
#include "host/config/stage_key.h"
#include "host/plugin/host_extensions.h"
#include "host/plugin/parameter_schema.h"
#include "host/plugin/plugin_description.h"
#include "host/plugin/plugin_error.h"
#include "host/plugin/secrets.h"
#include "host/run/model_stand_in.h"
#include "host/run/stage_context.h"

namespace retort::host {
namespace {

/// The child's view of one stage after another.
class Child {
 public:
  Child(const ResolvedConfig& config, const Registry& registry, int descriptor)
      : config_(config), registry_(registry), descriptor_(descriptor) {}

  void check(std::size_t index) {
    const ResolvedStage& stage = config_.stages[index];
    write({{"stage", index}});
    std::vector<FilledSlot> slots;
    const bool filled = fill(stage.slots, slots);
    attempt(stage, [&] {
      const Component component = registry_.create(stage.component.id, instance_parameters(stage), {});
      const auto& functions = component.functions_as<retort_stage_v1>(RETORT_STAGE_INTERFACE);
      if (filled && functions.check != nullptr) ask(stage, component, functions, std::move(slots));
    });
    write({{"checked", index}});
  }

 private:
  void write(const Json& line) const {
    const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
    write_all(descriptor_, text.data(), text.size());
  }
  void finding(const std::string& pointer, const std::string& message) const {
    write({{"pointer", pointer}, {"message", message}});
  }

  /// Says where it is, so that a crash has a name.
  bool attempt(const ResolvedComponent& component, const std::function<void()>& body) const {
    write({{"at", component.pointer},
           {"component", component.component.id},
           {"library", component.component.library.string()}});
    try {
      body();
      return true;
    } catch (const std::exception& error) {
      finding(component.pointer, error.what());
      return false;
    }
  }

  /// Whether all of them could be made.
  bool fill(const std::vector<ResolvedSlot>& slots, std::vector<FilledSlot>& filled) const {
    bool all = true;
    for (const ResolvedSlot& slot : slots) {
      std::vector<FilledSlot> inner;
      const bool made =
          fill(slot.slots, inner) && attempt(slot, [&] {
            filled.push_back({slot.name, slot.interface,
                              registry_.create(slot.component.id, instance_parameters(slot), std::move(inner))});
            bound_component(filled.back());  // its table is whole
          });
      all = all && made;
    }
    return all;
  }

  void ask(const ResolvedStage& stage, const Component& component, const retort_stage_v1& functions,
           std::vector<FilledSlot> slots) const {
    StageSetup setup;
    setup.name = stage.name;
    setup.seed = stage_seed(config_.seed, stage.name);
    setup.threads = config_.threads;
    for (const ResolvedInput& input : stage.inputs)
      for (const std::size_t source : input.stages)
        setup.inputs.push_back({input.name, config_.stages[source].name, {}});
    setup.components = std::move(slots);
    StageServices services(registry_, stage, {});
    const StageContext context(std::move(setup), services, nullptr, nullptr);
    std::string text;
    const retort_text_sink sink = sink_into(text);
    retort_error* error = functions.check(component.instance(), &context.abi(), &sink);
    std::istringstream lines(replace_invalid_utf8(text));
    for (std::string line; std::getline(lines, line);)
      if (!line.empty()) finding(place_of(stage, line), without_place(stage, line));
    throw_if_error(error, stage.component.id);
  }

  /// "algorithm: asks for …" is about what stands in the slot "algorithm", and so is a line that begins with its id.
  static std::string place_of(const ResolvedStage& stage, const std::string& line) {
    for (const ResolvedSlot& slot : stage.slots)
      if (line.starts_with(slot.name + ":")) return slot.list ? pointer_to(stage.pointer, slot.name) : slot.pointer;
    for (const ResolvedSlot& slot : stage.slots)
      if (line.starts_with(slot.component.id + ":") || line.starts_with(slot.component.id + " ")) return slot.pointer;
    const std::string parameter = parameter_of(stage, line);
    return parameter.empty() ? stage.pointer : parameter;
  }

  /// Of "training.device: expected …" the pointer to this parameter; "" where the stage has none of the name.
  static std::string parameter_of(const ResolvedStage& stage, const std::string& line) {
    const std::size_t end = line.find(": ");
    if (end == std::string::npos || line.substr(0, end).find('.') == std::string::npos) return "";
    const Json* schema = &stage.component.parameters_schema;
    std::string pointer = stage.pointer;
    std::istringstream names(line.substr(0, end));
    for (std::string name; std::getline(names, name, '.');) {
      if (!schema->contains("properties") || !schema->at("properties").contains(name)) return "";
      schema = &schema->at("properties").at(name);
      pointer = pointer_to(pointer, name);
    }
    return pointer;
  }

  /// The pointer names the slot already.
  static std::string without_place(const ResolvedStage& stage, const std::string& line) {
    for (const ResolvedSlot& slot : stage.slots)
      if (line.starts_with(slot.name + ": ")) return line.substr(slot.name.size() + 2);
    if (!parameter_of(stage, line).empty()) return line.substr(line.find(": ") + 2);
    return line;
  }

  const ResolvedConfig& config_;
  const Registry& registry_;
  int descriptor_;
};

std::string read_standard_input() {
  std::string text;
  std::array<char, 1 << 16> buffer;
  for (ssize_t count; (count = ::read(STDIN_FILENO, buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(count));
  return text;
}

Json job_of(const ResolvedConfig& config, const Registry& registry) {
  Json plugins = Json::array();
  for (const PluginInfo& plugin : registry.plugins())
    plugins.push_back({{"plugin", to_json(plugin)}, {"file", to_json(plugin.file)}});
  const SearchOptions& options = registry.options();
  return {{"plugins", plugins},
          {"allow_writable", options.allow_writable},
          {"sha256", options.sha256},
          {"file", config.file.string()},
          {"document", config.document}};
}

/// What a child wrote, and where it was when it ended.
struct Report {
  std::vector<Diagnostic> findings;
  Json at;
  std::size_t next = 0;  ///< the first stage that it has not checked
};

Report read_report(const ChildResult& child, std::size_t first) {
  Report report;
  report.next = first;
  std::istringstream lines(child.output.substr(0, child.output.rfind('\n') + 1));
  for (std::string line; std::getline(lines, line);) {
    Json json = parse_json(line, "the report of the checks");
    if (json.contains("message"))
      report.findings.push_back({json["pointer"], redacted(json["message"].get<std::string>()), ""});
    if (json.contains("checked")) report.next = json["checked"].get<std::size_t>() + 1;
    if (json.contains("at")) report.at = std::move(json);
  }
  return report;
}

void check_secrets_are_set(const ResolvedComponent& component, std::vector<Diagnostic>& findings) {
  const Json& schema = component.component.parameters_schema;
  const auto check = [&](const std::string& pointer, const std::string& variable, bool) {
    if (variable.empty()) return;
    const std::string reason = missing_secret_reason(variable);
    if (!reason.empty())
      findings.push_back({pointer, "the environment variable " + variable + " " + reason,
                          "set it to the key before this command; the config only names it"});
  };
  visit_format(schema, component.parameters, "secret-env", component.pointer, check);
  allow_secrets(schema, component.parameters);
  for (const ResolvedSlot& slot : component.slots) check_secrets_are_set(slot, findings);
}

}  // namespace

std::vector<Diagnostic> check_stages(const ResolvedConfig& config, const Registry& registry, double seconds) {
  std::vector<Diagnostic> findings;
  for (const ResolvedStage& stage : config.stages) check_secrets_are_set(stage, findings);
  const std::string job = job_of(config, registry).dump(-1, ' ', false, Json::error_handler_t::replace);
  for (std::size_t first = 0; first < config.stages.size();) {
    const ChildResult child = run_child(scanner_executable(), {"check-stages", std::to_string(first)}, seconds, job);
    Report report = read_report(child, first);
    findings.insert(findings.end(), report.findings.begin(), report.findings.end());
    if (report.next >= config.stages.size()) break;
    const std::string end = redacted(how_it_ended(child, seconds));
    if (report.at.is_null()) throw std::runtime_error("the process that checks components " + end);
    findings.push_back({report.at["at"],
                        report.at["component"].get<std::string>() + " of '" + report.at["library"].get<std::string>() +
                            "': the process that made and checked it " + end,
                        "mend the plugin, or use another component"});
    first = report.next + 1;
  }
  return findings;
}

void require_sound_stages(const ResolvedConfig& config, const Registry& registry) {
  std::vector<Diagnostic> findings = check_stages(config, registry);
  constexpr std::string_view note = "note: ";
  std::erase_if(findings, [&](const Diagnostic& finding) {
    const bool is_note = finding.message.starts_with(note);
    if (is_note) log_info(finding.pointer + ": " + finding.message.substr(note.size()));
    return is_note;
  });
  if (!findings.empty()) throw ConfigError(config.file, std::move(findings));
}

int check_stages_in_this_process(std::size_t first, int descriptor) {
  const Json job = parse_json(read_standard_input(), "the job");
  SearchOptions options;
  options.allow_writable = job.at("allow_writable");
  options.sha256 = job.at("sha256").get<std::map<std::string, std::string>>();
  std::vector<PluginInfo> plugins;
  for (const Json& plugin : job.at("plugins")) {
    plugins.push_back(plugin_info_from_json(plugin.at("plugin")));
    plugins.back().file = file_identity_from_json(plugin.at("file"));
  }
  const Registry registry(std::move(options), std::move(plugins));
  register_host_extension(RETORT_HOST_MODELS_EXTENSION, &model_stand_in());
  std::vector<Diagnostic> diagnostics;
  const ResolvedConfig config =
      resolve_config({job.at("file").get<std::string>(), job.at("document")}, registry, diagnostics);
  if (!diagnostics.empty()) throw std::runtime_error(ConfigError(config.file, std::move(diagnostics)).what());
  Child child(config, registry, descriptor);
  for (std::size_t i = first; i < config.stages.size(); ++i) child.check(i);
  return 0;
}

}  // namespace retort::host
