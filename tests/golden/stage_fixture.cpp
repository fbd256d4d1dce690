// See stage_fixture.h.
#include "stage_fixture.h"

#include <utility>

namespace retort::golden {

namespace {

std::string text_of(retort_string text) {
  return {text.data, text.size};
}
retort_string lend(const std::string& text) {
  return {text.data(), text.size()};
}
StageRun& self(void* context) {
  return *static_cast<StageRun*>(context);
}

}  // namespace

StageRun::StageRun(std::map<std::string, std::vector<InputFolder>> inputs, std::filesystem::path output)
    : inputs_(std::move(inputs)), output_(output.string()) {
  std::filesystem::create_directories(output);
}

const InputFolder& StageRun::input(retort_string name, std::uint64_t index) const {
  return inputs_.at(text_of(name)).at(index);
}

void StageRun::run(const LoadedComponent& component) {
  retort_stage_context context{};
  context.struct_size = sizeof context;
  context.context = this;
  context.name = {"stage", 5};
  context.output_folder = context.work_folder = lend(output_);
  context.threads = 1;
  context.input_count = [](void* run, retort_string name) -> std::uint64_t {
    const auto found = self(run).inputs_.find(text_of(name));
    return found == self(run).inputs_.end() ? 0 : found->second.size();
  };
  context.input_folder = [](void* run, retort_string name, std::uint64_t index) {
    return lend(self(run).input(name, index).folder.native());
  };
  context.input_name = [](void* run, retort_string name, std::uint64_t index) {
    return lend(self(run).input(name, index).stage);
  };
  context.component_count = [](void*, retort_string) -> std::uint64_t { return 0; };
  context.component = [](void*, retort_string, std::uint64_t) -> const retort_bound_component* { return nullptr; };
  context.metric = [](void* run, retort_string name, std::int64_t, double value) {
    self(run).metrics[text_of(name)] = value;
  };
  context.fact = [](void* run, retort_string name, retort_string json) {
    self(run).facts[text_of(name)] = text_of(json);
  };
  context.progress = [](void* run, retort_string, std::int64_t, std::int64_t, retort_string) {
    ++self(run).progress_calls;
  };
  context.get_extension = [](void*, retort_string) -> const void* { return nullptr; };
  throw_if_error(component.functions<retort_stage_v1>(RETORT_STAGE_INTERFACE).run(component.instance(), &context));
}

}  // namespace retort::golden
