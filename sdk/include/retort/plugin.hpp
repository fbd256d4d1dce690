// RETORT_PLUGIN: the exported entry, version negotiation, parameter parsing and the exception barrier.
#pragma once

#include <retort/abi/layout.h>
#include <retort/abi/plugin.h>

#include <memory>
#include <retort/component.hpp>
#include <retort/parameters.hpp>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace retort {

namespace detail {

struct ComponentRecord {
  std::string id, interface, version, summary, schema;
  const std::vector<retort_slot>* slots;
  const retort_stage_description* stage;
  ComponentBase* (*create)(const retort_create_arguments&);
  retort_component abi() const {
    return {sizeof(retort_component),
            0,
            to_abi(id),
            to_abi(interface),
            to_abi(version),
            to_abi(summary),
            to_abi(schema),
            slots->data(),
            slots->size(),
            stage};
  }
};

/// Defined by RETORT_PLUGIN_LIST in the plugin's one glue file.
const std::vector<ComponentRecord>& component_records();

template <typename T>
auto schema_of() {
  if constexpr (std::is_same_v<typename T::Params, NoParams>)
    return params<NoParams>();
  else
    return T::schema();
}

template <typename T, typename = void>
struct HasSlots : std::false_type {};
template <typename T>
struct HasSlots<T, std::void_t<decltype(T::slots())>> : std::true_type {};

template <typename T, typename = void>
struct HasShape : std::false_type {};
template <typename T>
struct HasShape<T, std::void_t<decltype(T::shape())>> : std::true_type {};

/// A class that declares no slots has none; a stage declares them in its shape.
template <typename T>
const std::vector<retort_slot>& slots_of() {
  if constexpr (HasSlots<T>::value) {
    return T::slots().abi();
  } else if constexpr (HasShape<T>::value) {
    return T::shape().slots().abi();
  } else {
    static const std::vector<retort_slot> none;
    return none;
  }
}

/// Only a stage has a shape: static const StageShape& shape().
template <typename T>
const retort_stage_description* stage_of() {
  if constexpr (HasShape<T>::value)
    return T::shape().abi();
  else
    return nullptr;
}

template <typename T>
ComponentBase* create_component(const retort_create_arguments& arguments) {
  auto parameters = schema_of<T>().parse(arguments.parameters, arguments.parameter_count);
  if constexpr (std::is_constructible_v<T, typename T::Params, Slots>)
    return std::make_unique<T>(std::move(parameters), Slots(arguments.components, arguments.component_count)).release();
  else
    return std::make_unique<T>(std::move(parameters)).release();
}

inline const std::vector<retort_component>& abi_components() {
  static const std::vector<retort_component> list = [] {
    std::vector<retort_component> all;
    for (const ComponentRecord& record : component_records()) all.push_back(record.abi());
    return all;
  }();
  return list;
}

inline retort_error* plugin_init(const retort_host* host) {
  host_pointer() = host;
  constexpr std::uint32_t needed_minor = RETORT_ABI_MINOR;
  if (host->abi_major == RETORT_ABI_MAJOR && !(host->abi_minor < needed_minor)) return nullptr;
  return make_error(RETORT_ERROR_INVALID_ARGUMENT,
                    "this plugin was built for Retort plugin ABI " + std::to_string(RETORT_ABI_MAJOR) + "." +
                        std::to_string(RETORT_ABI_MINOR) + ", the host has " + std::to_string(host->abi_major) + "." +
                        std::to_string(host->abi_minor) + ": rebuild it with the host's SDK, or update the host");
}
inline std::uint32_t plugin_component_count() {
  return static_cast<std::uint32_t>(component_records().size());
}
inline const retort_component* plugin_component(std::uint32_t index) {
  return index < abi_components().size() ? &abi_components()[index] : nullptr;
}
inline retort_error* plugin_create(const retort_create_arguments* arguments, retort_instance** out) {
  return guarded(
      [&] { *out = reinterpret_cast<retort_instance*>(component_records().at(arguments->index).create(*arguments)); });
}
inline void plugin_destroy(retort_instance* instance) {
  delete reinterpret_cast<ComponentBase*>(instance);
}
inline const void* plugin_get_interface(retort_instance* instance, retort_string interface_id) {
  return reinterpret_cast<const ComponentBase*>(instance)->table(to_view(interface_id));
}

constexpr retort_plugin_entry make_entry(retort_string name, retort_string version, retort_string license) {
  return {sizeof(retort_plugin_entry),
          RETORT_ABI_MAJOR,
          RETORT_ABI_MINOR,
          0,
          name,
          version,
          license,
          plugin_init,
          nullptr,
          plugin_component_count,
          plugin_component,
          plugin_create,
          plugin_destroy,
          plugin_get_interface};
}

template <std::size_t size>
constexpr retort_string literal(const char (&text)[size]) {
  return {text, size - 1};
}

}  // namespace detail

/// One component class `T`, derived from an interface's base class, with `Params` and schema(), made from its Params,
/// and from its Slots where it declares slots().
template <typename T>
detail::ComponentRecord component(std::string id, std::string version, std::string summary) {
  return {std::move(id),
          T::interface_id,
          std::move(version),
          std::move(summary),
          detail::schema_of<T>().schema(),
          &detail::slots_of<T>(),
          detail::stage_of<T>(),
          &detail::create_component<T>};
}

}  // namespace retort

/// Several components in one plugin: RETORT_PLUGIN_LIST("name", "1.0.0", "MIT", retort::component<A>(…), …)
#define RETORT_PLUGIN_LIST(plugin_name, plugin_version, plugin_license, ...)                                    \
  namespace retort::detail {                                                                                    \
  const std::vector<ComponentRecord>& component_records() {                                                     \
    static const std::vector<ComponentRecord> records{__VA_ARGS__};                                             \
    return records;                                                                                             \
  }                                                                                                             \
  }                                                                                                             \
  extern "C" RETORT_EXPORT const retort_plugin_entry retort_plugin_entry_v1 =                                   \
      retort::detail::make_entry(retort::detail::literal(plugin_name), retort::detail::literal(plugin_version), \
                                 retort::detail::literal(plugin_license))

/// One component: RETORT_PLUGIN(MyKd, "distill.my_kd", "1.0.0", "one line on what it does");
#define RETORT_PLUGIN(Type, id, version, summary) \
  RETORT_PLUGIN_LIST(id, version, "NOASSERTION", ::retort::component<Type>(id, version, summary))
