// One stage entry of a config: its name, its component and what belongs to that.
#include <algorithm>

#include "host/config/config_resolution.h"

namespace retort::host {

std::string suggestion_for(const std::string& name, const std::vector<std::string>& candidates) {
  const std::string nearest = name.empty() ? "" : nearest_name(name, candidates);
  if (!nearest.empty()) return "did you mean \"" + nearest + "\"?";
  std::string known;
  for (const std::string& candidate : candidates) known += (known.empty() ? "" : ", ") + candidate;
  return known.empty() ? "none is known: see `retort plugins list`" : "known: " + known;
}

bool is_plain_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.size() <= 100 &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
                  c == '.';
         });
}

ResolvedStage resolve_stage(const Json& entry, const std::string& pointer, const std::filesystem::path& folder,
                            const Registry& registry, Diagnostics& diagnostics) {
  ResolvedStage stage;
  stage.pointer = pointer;
  stage.folder = folder;
  if (!entry.is_object()) {
    diagnostics.push_back({pointer, "expected {\"name\": …, \"use\": …}, found " + entry.dump(), ""});
    return stage;
  }
  const Json name = entry.value("name", Json());
  if (!name.is_string() || !is_plain_name(name.get<std::string>()))
    diagnostics.push_back({pointer_to(pointer, "name"),
                           name.is_null() ? "a stage needs a name" : "not a name for a stage: " + name.dump(),
                           "letters, digits, \"_\", \"-\" and \".\", up to 100 of them"});
  else
    stage.name = name.get<std::string>();

  const ComponentInfo* component = find_component(entry, pointer, "retort.stage/1", registry, diagnostics);
  if (component == nullptr) return stage;
  stage.produces = component->stage.value("produces", "");
  Json own = entry;
  for (const char* reserved : {"name", "use", "inputs"}) own.erase(reserved);
  resolve_component(*component, std::move(own), registry, stage, diagnostics);
  return stage;
}

}  // namespace retort::host
