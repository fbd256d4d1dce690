// Base class of stages (retort.stage/1), and what a stage's run works with.
#pragma once

#include <retort/abi/environment.h>
#include <retort/abi/reward.h>
#include <retort/abi/stage.h>
#include <retort/abi/teacher.h>

#include <optional>
#include <retort/component.hpp>
#include <retort/parameters.hpp>
#include <string>
#include <vector>

namespace retort {

/// A component that the config named for a slot. Valid until run() returns.
class SlotComponent {
 public:
  explicit SlotComponent(const retort_stage_component& component) : component_(component) {}
  std::string_view id() const { return to_view(component_.id); }
  retort_instance* instance() const { return component_.instance; }
  /// The slot's function table: retort_rl_v1 for a slot of "retort.rl/1", and so on.
  template <typename Table>
  const Table& functions() const {
    return *static_cast<const Table*>(component_.functions);
  }

  std::string complete(std::string_view requests) const {  ///< of a teacher
    std::string out;
    const retort_text_sink sink = detail::sink_into(out);
    throw_if_error(functions<retort_teacher_v1>().complete(instance(), to_abi(requests), &sink));
    return out;
  }
  std::string score(std::string_view tools, std::string_view items) const {  ///< of a reward
    std::string out;
    const retort_text_sink sink = detail::sink_into(out);
    throw_if_error(functions<retort_reward_v1>().score(instance(), to_abi(tools), to_abi(items), &sink));
    return out;
  }
  std::string tools() const {  ///< of an environment
    std::string out;
    const retort_text_sink sink = detail::sink_into(out);
    throw_if_error(functions<retort_environment_draft1>().tools(instance(), &sink));
    return out;
  }
  std::string generate(std::string_view split, std::int64_t count, std::uint64_t seed) const {  ///< of an environment
    std::string out;
    const retort_text_sink sink = detail::sink_into(out);
    throw_if_error(functions<retort_environment_draft1>().generate(instance(), to_abi(split), count, seed, &sink));
    return out;
  }
  std::string execute(std::string_view batches) const {  ///< of an environment
    std::string out;
    const retort_text_sink sink = detail::sink_into(out);
    throw_if_error(functions<retort_environment_draft1>().execute(instance(), to_abi(batches), &sink));
    return out;
  }

 private:
  retort_stage_component component_;
};

/// What run() works with; valid until it returns; one thread.
class StageContext {
 public:
  explicit StageContext(const retort_stage_context& context) : context_(context) {}

  std::string name() const { return std::string(to_view(context_.name)); }
  std::string output_folder() const { return std::string(to_view(context_.output_folder)); }
  std::string work_folder() const { return std::string(to_view(context_.work_folder)); }
  std::uint64_t seed() const { return context_.seed; }
  std::int64_t threads() const { return context_.threads; }

  std::uint64_t input_count(std::string_view input) const {
    return context_.input_count(context_.context, to_abi(input));
  }
  bool has_input(std::string_view input) const { return input_count(input) > 0; }
  std::string input_folder(std::string_view input, std::uint64_t index = 0) const {
    return std::string(to_view(context_.input_folder(context_.context, to_abi(input), index)));
  }
  std::string input_name(std::string_view input, std::uint64_t index = 0) const {
    return std::string(to_view(context_.input_name(context_.context, to_abi(input), index)));
  }
  std::optional<SlotComponent> slot(std::string_view name) const {
    const retort_stage_component* found = context_.component(context_.context, to_abi(name));
    return found == nullptr ? std::nullopt : std::optional<SlotComponent>(*found);
  }
  void metric(std::string_view metric_name, std::int64_t step, double value) const {
    context_.metric(context_.context, to_abi(metric_name), step, value);
  }
  void fact(std::string_view fact_name, std::string_view json) const {
    context_.fact(context_.context, to_abi(fact_name), to_abi(json));
  }
  void progress(std::string_view label, std::int64_t done, std::int64_t total, std::string_view unit) const {
    context_.progress(context_.context, to_abi(label), done, total, to_abi(unit));
  }

 private:
  const retort_stage_context& context_;
};

/// What a stage consumes and produces. Built once, in a static function, with string literals.
class StageShape {
 public:
  explicit StageShape(const char* produces) : produces_(produces) {}
  StageShape& input(const char* name, const char* kind, const char* summary, std::uint32_t flags = 0) {
    inputs_.push_back({sizeof(retort_stage_input), flags, to_abi(name), to_abi(kind), to_abi(summary)});
    return *this;
  }
  StageShape& slot(const char* name, const char* interface, const char* summary, std::uint32_t flags = 0) {
    slots_.push_back({sizeof(retort_stage_slot), flags, to_abi(name), to_abi(interface), to_abi(summary)});
    return *this;
  }
  void describe(retort_stage_description& out) const {
    out.input_count = static_cast<std::uint32_t>(inputs_.size());
    out.slot_count = static_cast<std::uint32_t>(slots_.size());
    out.inputs = inputs_.data();
    out.slots = slots_.data();
    out.produces = to_abi(produces_);
  }

 private:
  const char* produces_;
  std::vector<retort_stage_input> inputs_;
  std::vector<retort_stage_slot> slots_;
};

class Stage : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_STAGE_INTERFACE;
  /// Must not depend on the parameters, and must return an object that lives for good:
  ///   static const StageShape shape = StageShape("dataset").input("dataset", "dataset", "what to label");
  virtual const StageShape& shape() const = 0;
  virtual void run(const StageContext& context) = 0;

  const void* table(std::string_view id) const final {
    static const retort_stage_v1 functions = {sizeof(retort_stage_v1), 0, &abi_describe, &abi_run};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_describe(retort_instance* instance, retort_stage_description* out) {
    return detail::guarded([&] { detail::self<Stage>(instance).shape().describe(*out); });
  }
  static retort_error* abi_run(retort_instance* instance, const retort_stage_context* context) {
    return detail::guarded([&] { detail::self<Stage>(instance).run(StageContext(*context)); });
  }
};

}  // namespace retort
