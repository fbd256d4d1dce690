#include "host/run/run_record.h"

#include <retort/abi/base.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <fstream>

#include "host/base/redaction.h"
#include "host/config/stage_key.h"
#include "host/run/artifact.h"

namespace retort::host {
namespace {

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name") && line.find(": ") != std::string::npos) return line.substr(line.find(": ") + 2);
  return "unknown";
}

Json slot_json(const ResolvedSlot& slot) {
  Json json = {{"component", slot.component.id},
               {"version", slot.component.version},
               {"library", slot.component.library.string()},
               {"parameters", slot.parameters}};
  if (!slot.slots.empty()) json["slots"] = by_slot(slot.slots, slot_json);
  return json;
}

Json stage_json(const ResolvedConfig& config, const ResolvedStage& stage) {
  Json inputs = Json::object();
  for (const ResolvedInput& input : stage.inputs) {
    inputs[input.name] = Json::array();
    for (const std::size_t source : input.stages) inputs[input.name].push_back(config.stages[source].name);
  }
  return {{"name", stage.name},
          {"component", stage.component.id},
          {"version", stage.component.version},
          {"library", stage.component.library.string()},
          {"kind", stage.produces},
          {"parameters", stage.parameters},
          {"slots", by_slot(stage.slots, slot_json)},
          {"inputs", inputs},
          {"seed", stage_seed(config.seed, stage.name)},
          {"state", "pending"}};
}

}  // namespace

Json describe_machine() {
  utsname system{};
  ::uname(&system);
  return {{"cpu", cpu_model()},
          {"cores", ::sysconf(_SC_NPROCESSORS_ONLN)},
          {"system", std::string(system.sysname) + " " + system.release + " " + system.machine}};
}

RunRecord::RunRecord(const RunFolder& folder, const ResolvedConfig& config) : file_(folder.record()) {
  json_ = {{"format", 1},
           {"name", config.name},
           {"description", config.description},
           {"state", "running"},
           {"started", utc_now()},
           {"config_file", config.file.string()},
           {"config", config.document},
           {"seed", config.seed},
           {"threads", config.threads},
           {"versions",
            {{"retort", product_version()},
             {"abi", std::to_string(RETORT_ABI_MAJOR) + "." + std::to_string(RETORT_ABI_MINOR)},
             {"compiler", __VERSION__}}},
           {"machine", describe_machine()},
           {"rows", config.rows},
           {"stages", Json::array()}};
  for (const ResolvedStage& stage : config.stages) json_["stages"].push_back(stage_json(config, stage));
  write_json(file_, redacted(json_));
}

void RunRecord::stage(std::size_t index, const Json& fields) {
  json_["stages"][index].update(fields);
  write_json(file_, redacted(json_));
}

void RunRecord::update(const Json& fields) {
  json_.update(fields);
  write_json(file_, redacted(json_));
}

}  // namespace retort::host
