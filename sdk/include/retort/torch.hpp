// For plugin authors who do their maths in LibTorch: tensors over the ABI's memory, without a copy. Including this file
// is what makes a plugin depend on LibTorch.
#pragma once

#include <retort/abi/base.h>
#include <torch/types.h>

#include <stdexcept>

namespace retort {

inline torch::ScalarType torch_type(const retort_tensor& tensor) {
  const int key = tensor.dtype_code * 100 + tensor.dtype_bits;
  switch (key) {
    case RETORT_DTYPE_FLOAT * 100 + 32:
      return torch::kFloat32;
    case RETORT_DTYPE_FLOAT * 100 + 64:
      return torch::kFloat64;
    case RETORT_DTYPE_FLOAT * 100 + 16:
      return torch::kFloat16;
    case RETORT_DTYPE_BFLOAT * 100 + 16:
      return torch::kBFloat16;
    case RETORT_DTYPE_INT * 100 + 64:
      return torch::kInt64;
    case RETORT_DTYPE_INT * 100 + 32:
      return torch::kInt32;
    case RETORT_DTYPE_INT * 100 + 8:
      return torch::kInt8;
    case RETORT_DTYPE_UINT * 100 + 8:
      return torch::kUInt8;
    default:
      throw std::invalid_argument("this tensor's element type has no counterpart in LibTorch");
  }
}

/// A tensor that shares the view's memory; it must not outlive the call.
inline torch::Tensor borrow(const retort_tensor& tensor) {
  const torch::Device device(
      tensor.device_type == RETORT_DEVICE_CPU ? torch::kCPU : torch::kCUDA,
      static_cast<torch::DeviceIndex>(tensor.device_type == RETORT_DEVICE_CPU ? -1 : tensor.device_id));
  return torch::from_blob(static_cast<char*>(tensor.data) + tensor.byte_offset,
                          torch::IntArrayRef(tensor.shape, static_cast<std::size_t>(tensor.dimensions)),
                          torch::IntArrayRef(tensor.strides, static_cast<std::size_t>(tensor.dimensions)),
                          torch::TensorOptions().dtype(torch_type(tensor)).device(device));
}

/// The ABI's view of a LibTorch tensor; borrows sizes and strides from it.
inline retort_tensor lend(const torch::Tensor& tensor, std::uint32_t flags = 0) {
  retort_tensor view{};
  view.struct_size = sizeof(retort_tensor);
  view.flags = flags;
  view.data = tensor.data_ptr();
  view.device_type = tensor.is_cuda() ? RETORT_DEVICE_CUDA : RETORT_DEVICE_CPU;
  view.device_id = tensor.is_cuda() ? tensor.device().index() : 0;
  view.dtype_bits = static_cast<std::uint8_t>(8 * tensor.element_size());
  view.dtype_lanes = 1;
  view.dtype_code = tensor.scalar_type() == torch::kBFloat16 ? RETORT_DTYPE_BFLOAT
                    : tensor.is_floating_point()             ? RETORT_DTYPE_FLOAT
                    : tensor.scalar_type() == torch::kUInt8  ? RETORT_DTYPE_UINT
                                                             : RETORT_DTYPE_INT;
  view.dimensions = static_cast<std::int32_t>(tensor.dim());
  view.shape = tensor.sizes().data();
  view.strides = tensor.strides().data();
  return view;
}

}  // namespace retort
