// What every component class derives from, and the sinks that results leave through.
#pragma once

#include <retort/abi/plugin.h>

#include <exception>
#include <functional>
#include <optional>
#include <retort/host.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace retort {

/// The root of all components. An interface's base class (DistillStrategy, Teacher, …) overrides table().
class ComponentBase {
 public:
  ComponentBase() = default;
  ComponentBase(const ComponentBase&) = delete;
  ComponentBase& operator=(const ComponentBase&) = delete;
  virtual ~ComponentBase() = default;
  /// The ABI's function table for `interface_id`, or NULL.
  virtual const void* table(std::string_view interface_id) const = 0;
};

using Metrics = std::vector<std::pair<std::string, double>>;

/// A component that stands in a slot of another one or of a stage. The host owns it; it outlives whoever it was given
/// to. interface classes over it (TeacherSlot, RewardSlot, EnvironmentSlot, …) offer its functions.
class BoundComponent {
 public:
  explicit BoundComponent(const retort_bound_component& component) : component_(component) {}
  std::string_view slot() const { return to_view(component_.slot); }
  std::string_view id() const { return to_view(component_.id); }
  retort_instance* instance() const { return component_.instance; }
  /// The function table of the slot's interface: retort_rl_v1 for a slot of "retort.rl/1", and so on.
  template <typename Table>
  const Table& functions() const {
    return *static_cast<const Table*>(component_.functions);
  }

 private:
  retort_bound_component component_;
};

/// What the config put into a component's slots. Given to a constructor that asks for it: MyReward(Params, Slots).
class Slots {
 public:
  Slots() = default;
  /// Steps by struct_size: a newer host's entries may be longer than this header's.
  Slots(const retort_bound_component* components, std::uint64_t count) {
    const char* entry = reinterpret_cast<const char*>(components);
    for (std::uint64_t i = 0; i < count; ++i) {
      const auto& component = *reinterpret_cast<const retort_bound_component*>(entry);
      all_.emplace_back(component);
      entry += component.struct_size;
    }
  }
  /// All that stand in `slot`, in the config's order.
  std::vector<BoundComponent> list(std::string_view slot) const {
    std::vector<BoundComponent> found;
    for (const BoundComponent& component : all_)
      if (component.slot() == slot) found.push_back(component);
    return found;
  }
  std::optional<BoundComponent> find(std::string_view slot) const {
    for (const BoundComponent& component : all_)
      if (component.slot() == slot) return component;
    return std::nullopt;
  }
  /// Of a slot that is not optional. Throws std::invalid_argument where the host gave none.
  BoundComponent get(std::string_view slot) const {
    if (const auto found = find(slot)) return *found;
    throw std::invalid_argument("slot \"" + std::string(slot) + "\": expected a component, found none");
  }

 private:
  std::vector<BoundComponent> all_;
};

/// The slots that a class declares, as the host sees them. Built once, in a static function, with string literals:
///   static const SlotList& slots() {
///     static const SlotList list = SlotList().add("teacher", RETORT_TEACHER_INTERFACE, "who judges");
///     return list;
///   }
class SlotList {
 public:
  SlotList& add(const char* name, const char* interface, const char* summary, std::uint32_t flags = 0) {
    slots_.push_back({sizeof(retort_slot), flags, to_abi(name), to_abi(interface), to_abi(summary)});
    return *this;
  }
  const std::vector<retort_slot>& abi() const { return slots_; }

 private:
  std::vector<retort_slot> slots_;
};

namespace detail {

template <typename Base>
Base& self(retort_instance* instance) {
  return static_cast<Base&>(*reinterpret_cast<ComponentBase*>(instance));
}

inline void write(const retort_text_sink* sink, std::string_view text) {
  sink->write(sink->context, to_abi(text));
}

inline void report(const retort_metric_sink* sink, const Metrics& metrics) {
  if (sink == nullptr) return;
  for (const auto& [name, value] : metrics) sink->metric(sink->context, to_abi(name), value);
}

/// A text sink that appends to `text`.
inline retort_text_sink sink_into(std::string& text) {
  return {sizeof(retort_text_sink), 0, &text,
          [](void* context, retort_string piece) { static_cast<std::string*>(context)->append(to_view(piece)); }};
}

/// An item sink that calls `take(index, json)`; what it throws is kept and thrown by rethrow().
class ItemsInto {
 public:
  using Take = std::function<void(std::uint64_t, std::string_view)>;
  explicit ItemsInto(Take take) : take_(std::move(take)) {}
  ItemsInto(const ItemsInto&) = delete;
  ItemsInto& operator=(const ItemsInto&) = delete;
  const retort_item_sink* sink() const { return &sink_; }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  void take(std::uint64_t index, retort_string json) noexcept {
    if (failure_) return;
    try {
      take_(index, to_view(json));
    } catch (...) {
      failure_ = std::current_exception();
    }
  }
  Take take_;
  std::exception_ptr failure_;
  retort_item_sink sink_{sizeof(retort_item_sink), 0, this, [](void* context, std::uint64_t index, retort_string json) {
                           static_cast<ItemsInto*>(context)->take(index, json);
                         }};
};

}  // namespace detail

/// Where a component's results go, item by item, in any order, each index once.
class ItemSink {
 public:
  explicit ItemSink(const retort_item_sink& sink) : sink_(sink) {}
  void item(std::uint64_t index, std::string_view json) const { sink_.item(sink_.context, index, to_abi(json)); }

 private:
  const retort_item_sink& sink_;
};

}  // namespace retort
