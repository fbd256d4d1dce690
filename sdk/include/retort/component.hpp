// What every component class derives from, and the sinks that results leave through.
#pragma once

#include <retort/abi/plugin.h>

#include <retort/host.hpp>
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

}  // namespace detail

}  // namespace retort
