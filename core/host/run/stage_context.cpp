#include "host/run/stage_context.h"

#include <stdexcept>

#include "host/base/foreign_json.h"
#include "host/base/printable.h"
#include "host/base/redaction.h"
#include "host/base/utf8.h"
#include "host/plugin/plugin_error.h"

namespace retort::host {

StageContext::StageContext(StageSetup setup, StageServices& services, MetricsLog* metrics, Progress* progress)
    : setup_(std::move(setup)),
      output_folder_(setup_.output_folder.string()),
      work_folder_(setup_.work_folder.string()),
      services_(services),
      metrics_(metrics),
      progress_(progress) {
  for (const FilledSlot& filled : setup_.components) components_[filled.slot].push_back(bound_component(filled));
  abi_.struct_size = sizeof abi_;
  abi_.context = this;
  abi_.name = to_abi(setup_.name);
  abi_.output_folder = to_abi(output_folder_);
  abi_.work_folder = to_abi(work_folder_);
  abi_.seed = setup_.seed;
  abi_.threads = setup_.threads;
  abi_.input_count = abi_input_count;
  abi_.input_folder = abi_input_folder;
  abi_.input_name = abi_input_name;
  abi_.component_count = abi_component_count;
  abi_.component = abi_component;
  abi_.metric = abi_metric;
  abi_.fact = abi_fact;
  abi_.progress = abi_progress;
  abi_.get_extension = abi_get_extension;
}

template <typename Body>
void StageContext::guarded(Body&& body) noexcept {
  try {
    body();
  } catch (...) {
    if (!failure_) failure_ = std::current_exception();
  }
}

const StageInputFolder* StageContext::input(retort_string name, std::uint64_t index) const {
  for (const StageInputFolder& candidate : setup_.inputs)
    if (candidate.input == to_std(name) && index-- == 0) return &candidate;
  return nullptr;
}

void StageContext::fact(const std::string& name, const std::string& json) {
  std::optional<Json> value = try_parse_json(json);
  if (!value)
    throw std::invalid_argument(
        "the stage reported fact \"" + name +
        "\" with a value that is not JSON, or nested too deeply: " + printable(std::string_view(json).substr(0, 200)));
  facts_[replace_invalid_utf8(name)] = redacted(std::move(*value));
}

std::uint64_t StageContext::abi_input_count(void* context, retort_string input) {
  std::uint64_t count = 0;
  self(context).guarded([&] {
    while (self(context).input(input, count) != nullptr) ++count;
  });
  return count;
}

namespace {

/// Paths are handed out as strings that live as long as the context.
retort_string native(const std::filesystem::path& path) {
  return to_abi(path.native());
}

}  // namespace

retort_string StageContext::abi_input_folder(void* context, retort_string input, std::uint64_t index) {
  const StageInputFolder* found = self(context).input(input, index);
  return found == nullptr ? retort_string{nullptr, 0} : native(found->folder);
}

retort_string StageContext::abi_input_name(void* context, retort_string input, std::uint64_t index) {
  const StageInputFolder* found = self(context).input(input, index);
  return found == nullptr ? retort_string{nullptr, 0} : to_abi(found->stage);
}

std::uint64_t StageContext::abi_component_count(void* context, retort_string slot) {
  const auto& components = self(context).components_;
  const auto found = components.find(to_std(slot));
  return found == components.end() ? 0 : found->second.size();
}

const retort_bound_component* StageContext::abi_component(void* context, retort_string slot, std::uint64_t index) {
  const auto& components = self(context).components_;
  const auto found = components.find(to_std(slot));
  return found == components.end() || index >= found->second.size() ? nullptr : &found->second[index];
}

const void* StageContext::abi_get_extension(void*, retort_string id) {
  return to_std(id) == RETORT_HOST_STAGES_EXTENSION ? &StageServices::table() : nullptr;
}

void StageContext::abi_metric(void* context, retort_string name, std::int64_t step, double value) {
  StageContext& stage = self(context);
  stage.guarded([&] {
    if (stage.metrics_ != nullptr) stage.metrics_->record(to_std(name), step, value);
  });
}

void StageContext::abi_fact(void* context, retort_string name, retort_string json) {
  self(context).guarded([&] { self(context).fact(to_std(name), to_std(json)); });
}

void StageContext::abi_progress(void* context, retort_string label, std::int64_t done, std::int64_t total,
                                retort_string unit) {
  StageContext& stage = self(context);
  stage.guarded([&] {
    if (stage.progress_ == nullptr) return;
    const std::string text = redacted(to_std(label));
    stage.progress_->update(text.empty() ? stage.setup_.name : stage.setup_.name + ": " + text, done, total,
                            to_std(unit));
  });
}

}  // namespace retort::host
