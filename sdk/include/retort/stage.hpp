// Base class of stages (retort.stage/1), and what a stage's run works with.
#pragma once

#include <retort/abi/host_stages.h>
#include <retort/abi/stage.h>

#include <optional>
#include <retort/component.hpp>
#include <retort/parameters.hpp>
#include <string>
#include <vector>

namespace retort {

/// What run() and check() work with; valid until they return; one thread.
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
  /// The components that the config put into `name`, in its order.
  std::vector<BoundComponent> slots(std::string_view name) const {
    std::vector<BoundComponent> all;
    const std::uint64_t count = context_.component_count(context_.context, to_abi(name));
    for (std::uint64_t i = 0; i < count; ++i) all.emplace_back(*context_.component(context_.context, to_abi(name), i));
    return all;
  }
  std::optional<BoundComponent> slot(std::string_view name) const {
    const retort_bound_component* found = context_.component(context_.context, to_abi(name), 0);
    return found == nullptr ? std::nullopt : std::optional<BoundComponent>(*found);
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

  /// Component `index` of `slot_name` once more, for another thread or with other parameters (a JSON object that
  /// replaces the config's values of the same keys). Valid until the stage returns. Throws std::invalid_argument with
  /// every finding. [any-thread]
  BoundComponent create(std::string_view slot_name, std::uint64_t index = 0, std::string_view parameters = "{}") const {
    const retort_bound_component* made = nullptr;
    throw_if_error(stages().create(&context_, to_abi(slot_name), index, to_abi(parameters), &made));
    return BoundComponent(*made);
  }
  /// Runs another stage ({"name", "use", …, "inputs": {name: folder}}); returns the folder of its artifact.
  std::string run_stage(std::string_view stage) const {
    std::string folder;
    const retort_text_sink sink = detail::sink_into(folder);
    throw_if_error(stages().run(&context_, to_abi(stage), &sink));
    return folder;
  }
  const retort_stage_context& abi() const { return context_; }

 private:
  const retort_host_stages_v1& stages() const {
    const void* table = context_.get_extension(context_.context, to_abi(RETORT_HOST_STAGES_EXTENSION));
    if (table == nullptr) throw std::runtime_error("this host does not offer " RETORT_HOST_STAGES_EXTENSION);
    return *static_cast<const retort_host_stages_v1*>(table);
  }

  const retort_stage_context& context_;
};

/// What a stage consumes and produces, and its slots. Built once, in a static function, with string literals. Not
/// copied once abi() was called.
class StageShape {
 public:
  explicit StageShape(const char* produces) : produces_(produces) {}
  StageShape& input(const char* name, const char* kind, const char* summary, std::uint32_t flags = 0) {
    inputs_.push_back({sizeof(retort_stage_input), flags, to_abi(name), to_abi(kind), to_abi(summary)});
    return *this;
  }
  StageShape& slot(const char* name, const char* interface, const char* summary, std::uint32_t flags = 0) {
    slots_.add(name, interface, summary, flags);
    return *this;
  }
  const SlotList& slots() const { return slots_; }
  const retort_stage_description* abi() const {
    description_ = {sizeof(retort_stage_description), static_cast<std::uint32_t>(inputs_.size()), inputs_.data(),
                    to_abi(produces_)};
    return &description_;
  }

 private:
  const char* produces_;
  std::vector<retort_stage_input> inputs_;
  SlotList slots_;
  mutable retort_stage_description description_{};
};

/// A derived class says what it reads and writes in a static function:
///   static const StageShape& shape() {
///     static const StageShape shape = StageShape("dataset").input("dataset", "dataset", "what to label");
///     return shape;
///   }
class Stage : public ComponentBase {
 public:
  static constexpr const char* interface_id = RETORT_STAGE_INTERFACE;
  /// What the slots' components ask for and this stage cannot give, a sentence each. Of the context only components,
  /// name, seed, threads and has_input(), input_count() and input_name() are there.
  virtual std::vector<std::string> check(const StageContext& /*context*/) { return {}; }
  virtual void run(const StageContext& context) = 0;

  const void* table(std::string_view id) const final {
    static const retort_stage_v1 functions = {RETORT_STAGE_V1_SIZE, 0, &abi_check, &abi_run};
    return id == interface_id ? &functions : nullptr;
  }

 private:
  static retort_error* abi_check(retort_instance* instance, const retort_stage_context* context,
                                 const retort_text_sink* findings) {
    return detail::guarded([&] {
      for (const std::string& finding : detail::self<Stage>(instance).check(StageContext(*context)))
        detail::write(findings, finding + "\n");
    });
  }
  static retort_error* abi_run(retort_instance* instance, const retort_stage_context* context) {
    return detail::guarded([&] { detail::self<Stage>(instance).run(StageContext(*context)); });
  }
};

}  // namespace retort
