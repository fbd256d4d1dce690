// See loaded_plugin.h.
#include "loaded_plugin.h"

#include <dlfcn.h>

#include <atomic>
#include <cstring>
#include <stdexcept>

struct retort_error {
  std::int32_t code;
  std::string message;
};

namespace retort::golden {

namespace {

std::string log_text;
std::atomic<int> stop_requested{0};

std::string to_string(retort_string text) {
  return text.size == 0 ? std::string() : std::string(text.data, text.size);
}

retort_parameter flat(const std::string& path, const Parameter& value) {
  retort_parameter out{};
  out.struct_size = sizeof out;
  out.path = {path.data(), path.size()};
  if (const auto* flag = std::get_if<bool>(&value)) {
    out.type = RETORT_PARAMETER_BOOLEAN;
    out.integer = *flag ? 1 : 0;
  } else if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    out.type = RETORT_PARAMETER_INTEGER;
    out.integer = *integer;
    out.number = static_cast<double>(*integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    out.type = RETORT_PARAMETER_NUMBER;
    out.number = *number;
  } else {
    const auto& text = std::get<std::string>(value);
    out.type = RETORT_PARAMETER_STRING;
    out.string = {text.data(), text.size()};
  }
  return out;
}

}  // namespace

const retort_host& test_host() {
  static const retort_host host = {
      sizeof(retort_host),
      RETORT_ABI_MAJOR,
      RETORT_ABI_MINOR,
      0,
      {"test", 4},
      [](std::int32_t code, retort_string message) { return new retort_error{code, to_string(message)}; },
      [](const retort_error* error) { return error->code; },
      [](const retort_error* error) { return retort_string{error->message.data(), error->message.size()}; },
      [](retort_error* error) { delete error; },
      [](std::int32_t, retort_string message) { log_text += to_string(message) + "\n"; },
      [] { return stop_requested.load(); },
      [](retort_string) -> const void* { return nullptr; }};
  return host;
}

std::string take_log() {
  return std::exchange(log_text, std::string());
}

void set_stop(bool stop) {
  stop_requested = stop ? 1 : 0;
}

void throw_if_error(retort_error* error) {
  if (error == nullptr) return;
  const retort_error copy = *error;
  delete error;
  if (copy.code == RETORT_ERROR_INVALID_ARGUMENT) throw std::invalid_argument(copy.message);
  if (copy.code == RETORT_ERROR_STOPPED) throw std::domain_error(copy.message);
  throw std::runtime_error(copy.message);
}

LoadedComponent::LoadedComponent(const std::string& library, const Parameters& parameters,
                                 const std::vector<retort_bound_component>& components) {
  void* const handle = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (handle == nullptr) throw std::runtime_error(dlerror());
  entry_ = static_cast<const retort_plugin_entry*>(dlsym(handle, RETORT_PLUGIN_ENTRY_SYMBOL));
  if (entry_ == nullptr) throw std::runtime_error(library + " has no " + RETORT_PLUGIN_ENTRY_SYMBOL);
  throw_if_error(entry_->init(&test_host()));
  std::map<std::string, Parameter> by_path;
  for (const auto& [name, value] : parameters) by_path["/" + name] = value;
  std::vector<retort_parameter> list;
  for (const auto& [path, value] : by_path) list.push_back(flat(path, value));
  const retort_create_arguments arguments{sizeof arguments, 0, list.data(), list.size(), components.data(),
                                          components.size()};
  throw_if_error(entry_->create(&arguments, &instance_));
}

LoadedComponent::~LoadedComponent() {
  if (instance_ != nullptr) entry_->destroy(instance_);
}

const void* LoadedComponent::table(const std::string& interface_id) const {
  const void* const functions = entry_->get_interface(instance_, {interface_id.data(), interface_id.size()});
  if (functions == nullptr) throw std::runtime_error("the component does not offer " + interface_id);
  return functions;
}

retort_bound_component LoadedComponent::bound(const char* slot, const char* interface_id) const {
  return {
      sizeof(retort_bound_component), 0, {slot, std::strlen(slot)}, description().id, instance_, table(interface_id)};
}

retort_metric_sink sink_into(MetricMap& metrics) {
  return {sizeof(retort_metric_sink), 0, &metrics, [](void* context, retort_string name, double value) {
            (*static_cast<MetricMap*>(context))[to_string(name)] += value;
          }};
}

retort_item_sink sink_into(Items& items) {
  return {sizeof(retort_item_sink), 0, &items, [](void* context, std::uint64_t index, retort_string json) {
            static_cast<Items*>(context)->emplace_back(index, to_string(json));
          }};
}

retort_text_sink sink_into(std::string& text) {
  return {sizeof(retort_text_sink), 0, &text,
          [](void* context, retort_string piece) { static_cast<std::string*>(context)->append(to_string(piece)); }};
}

}  // namespace retort::golden
