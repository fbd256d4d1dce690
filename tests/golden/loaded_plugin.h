// The least host that a plugin runs under: loads one library, makes one component, turns errors into exceptions.
// No registry, no validation: parameters and the components in slots are what the test gives.
#pragma once

#include <retort/abi/plugin.h>

#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace retort::golden {

using Parameter = std::variant<bool, std::int64_t, double, std::string>;
using Parameters = std::map<std::string, Parameter>;  ///< by name, top level only
using MetricMap = std::map<std::string, double>;

const retort_host& test_host();
/// What plugins logged since the last call.
std::string take_log();
/// What should_stop() answers from now on.
void set_stop(bool stop);

/// Frees the error and throws its message: std::invalid_argument for RETORT_ERROR_INVALID_ARGUMENT, std::domain_error
/// for RETORT_ERROR_STOPPED, std::runtime_error otherwise.
void throw_if_error(retort_error* error);

class LoadedComponent {
 public:
  /// `components` stand in the component's slots; who made them keeps them alive (bound() below).
  LoadedComponent(const std::string& library, const Parameters& parameters,
                  const std::vector<retort_bound_component>& components = {});
  ~LoadedComponent();
  LoadedComponent(const LoadedComponent&) = delete;
  LoadedComponent& operator=(const LoadedComponent&) = delete;

  retort_instance* instance() const { return instance_; }
  const retort_component& description() const { return *entry_->component(0); }
  template <typename Table>
  const Table& functions(const char* interface_id) const {
    return *static_cast<const Table*>(table(interface_id));
  }
  /// This component as another one finds it in its slot. `slot` must be a literal.
  retort_bound_component bound(const char* slot, const char* interface_id) const;

 private:
  const void* table(const std::string& interface_id) const;
  const retort_plugin_entry* entry_ = nullptr;
  retort_instance* instance_ = nullptr;
};

/// A matrix or vector that owns its elements and lends them as retort_tensor.
template <typename T>
class Tensor {
 public:
  Tensor(std::vector<std::int64_t> shape, std::vector<T> elements)
      : values(std::move(elements)), shape_(std::move(shape)) {
    strides_.assign(shape_.size(), 1);
    for (std::size_t i = shape_.size() - 1; i > 0; --i) strides_[i - 1] = strides_[i] * shape_[i];
    tensor_.struct_size = sizeof tensor_;
    tensor_.data = values.data();
    tensor_.device_type = RETORT_DEVICE_CPU;
    tensor_.dtype_code = std::is_floating_point_v<T> ? RETORT_DTYPE_FLOAT
                         : std::is_signed_v<T>       ? RETORT_DTYPE_INT
                                                     : RETORT_DTYPE_UINT;
    tensor_.dtype_bits = 8 * sizeof(T);
    tensor_.dtype_lanes = 1;
    tensor_.dimensions = static_cast<std::int32_t>(shape_.size());
    tensor_.shape = shape_.data();
    tensor_.strides = strides_.data();
  }
  Tensor(const Tensor&) = delete;
  Tensor& operator=(const Tensor&) = delete;
  const retort_tensor* view() const { return &tensor_; }

  std::vector<T> values;  ///< in row-major order; not to be resized

 private:
  std::vector<std::int64_t> shape_, strides_;
  retort_tensor tensor_{};
};

/// Collects metrics into a map, summed by name.
retort_metric_sink sink_into(MetricMap& metrics);

/// Collects items as they come: (index, JSON).
using Items = std::vector<std::pair<std::uint64_t, std::string>>;
retort_item_sink sink_into(Items& items);

/// Appends to a text.
retort_text_sink sink_into(std::string& text);

}  // namespace retort::golden
