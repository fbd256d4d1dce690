#include "stand_in_device.h"

#include <ATen/EmptyTensor.h>
#include <ATen/autocast_mode.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <torch/library.h>
#include <torch/types.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <optional>

namespace retort::train::testing {
namespace {

using at::Tensor;

constexpr auto kind = c10::DeviceType::PrivateUse1;
constexpr std::uintptr_t mark = std::uintptr_t{1} << 62U;  // no address of a process has this bit: it faults
std::atomic<std::int64_t> operations{0};

void* seen_from_device(void* host) {
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(host) | mark);
}
void* seen_from_host(const void* device) {
  return reinterpret_cast<void*>(reinterpret_cast<std::uintptr_t>(device) & ~mark);
}

struct Memory final : c10::Allocator {
  c10::DataPtr allocate(std::size_t size) override {
    constexpr std::size_t line = 64;
    void* data = std::aligned_alloc(line, (size + line) / line * line);
    return {seen_from_device(data), data, &std::free, c10::Device(kind, 0)};
  }
  void copy_data(void* to, const void* from, std::size_t size) const override {
    std::memcpy(seen_from_host(to), seen_from_host(from), size);
  }
};

Memory& memory() {
  static Memory one;
  return one;
}

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return kind; }
  c10::Device exchangeDevice(c10::Device) const override { return {kind, 0}; }
  c10::Device getDevice() const override { return {kind, 0}; }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device device) const noexcept override {
    return c10::Stream(c10::Stream::DEFAULT, device);
  }
  c10::Stream getDefaultStream(c10::Device device) const override { return getStream(device); }
  c10::Stream exchangeStream(c10::Stream stream) const noexcept override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const c10::Stream&, const c10::DeviceIndex, const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
};

struct Hooks final : at::PrivateUse1HooksInterface {
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
};

/// The same memory as a tensor of the CPU.
Tensor on_host(const Tensor& tensor) {
  if (tensor.device().type() != kind) return tensor;
  const auto options = at::TensorOptions().dtype(tensor.dtype()).device(at::kCPU);
  if (tensor.numel() == 0) return at::empty(tensor.sizes(), options);
  return at::from_blob(seen_from_host(tensor.mutable_data_ptr()), tensor.sizes(), tensor.strides(), options);
}

Tensor empty_contiguous(c10::IntArrayRef size, std::optional<at::ScalarType> type, std::optional<at::Layout>,
                        std::optional<at::Device>, std::optional<bool>, std::optional<at::MemoryFormat> format) {
  const c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_generic(size, &memory(), keys, c10::dtype_or_default(type), format);
}

Tensor empty_strided(c10::IntArrayRef size, c10::IntArrayRef strides, std::optional<at::ScalarType> type,
                     std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>) {
  const c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_strided_generic(size, strides, &memory(), keys, c10::dtype_or_default(type));
}

Tensor copy_from(const Tensor& from, const Tensor& to, bool) {
  on_host(to).copy_(on_host(from));
  return to;
}

/// Writes a result into the tensor that an operation was given for it.
Tensor copy_from_and_resize(const Tensor& from, const Tensor& to) {
  if (to.sizes() != from.sizes()) to.resize_(from.sizes());
  return copy_from(from, to, false);
}

const Tensor& resize(const Tensor& self, c10::IntArrayRef size, std::optional<at::MemoryFormat>) {
  const std::size_t wanted =
      (static_cast<std::size_t>(c10::multiply_integers(size)) + static_cast<std::size_t>(self.storage_offset())) *
      self.itemsize();
  const c10::Storage& storage = self.storage();
  if (storage.nbytes() < wanted) {
    c10::DataPtr larger = memory().allocate(wanted);
    if (storage.nbytes() > 0) memory().copy_data(larger.get(), storage.data(), storage.nbytes());
    storage.set_data_ptr_noswap(std::move(larger));
    storage.set_nbytes(wanted);
  }
  self.unsafeGetTensorImpl()->set_sizes_contiguous(size);
  return self;
}

at::Scalar local_scalar(const Tensor& self) {
  return on_host(self).item();
}

Tensor as_strided(const Tensor& self, c10::IntArrayRef size, c10::IntArrayRef strides,
                  std::optional<std::int64_t> offset) {
  return at::native::as_strided_tensorimpl(self, size, strides, offset);
}

/// Numbers that the code wrote as such may be anywhere, as with CUDA.
void expect_on_device(const Tensor& tensor, const c10::OperatorHandle& operation) {
  if (!tensor.defined() || tensor.device().type() == kind || tensor.unsafeGetTensorImpl()->is_wrapped_number()) return;
  TORCH_CHECK(false, operation.schema().name(), ": expected all tensors on the device, found one of sizes ",
              tensor.sizes(), " on ", tensor.device());
}

void by_the_cpu(const c10::OperatorHandle& operation, torch::jit::Stack* stack) {
  const std::size_t count = operation.schema().arguments().size();
  for (std::size_t i = stack->size() - count; i < stack->size(); ++i) {
    const c10::IValue& given = (*stack)[i];
    if (given.isTensor()) expect_on_device(given.toTensor(), operation);
    if (!given.isList()) continue;
    for (const c10::IValue& one : given.toListRef())
      if (one.isTensor()) expect_on_device(one.toTensor(), operation);
  }
  operations.fetch_add(1);
  at::native::cpu_fallback(operation, stack, true);
}

TORCH_LIBRARY_IMPL(aten, PrivateUse1, library) {
  library.impl("empty.memory_format", empty_contiguous);
  library.impl("empty_strided", empty_strided);
  library.impl("_copy_from", copy_from);
  library.impl("_copy_from_and_resize", copy_from_and_resize);
  library.impl("_local_scalar_dense", local_scalar);
  library.impl("resize_", resize);
  library.impl("as_strided", as_strided);
  library.impl("view", at::native::view);
  library.impl("_reshape_alias", at::native::_reshape_alias);
}
TORCH_LIBRARY_IMPL(_, PrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFromBoxedFunction<&by_the_cpu>());
}
// In autocast regions: what CUDA's list has of what a decoder uses.
TORCH_LIBRARY_IMPL(_, AutocastPrivateUse1, library) {
  library.fallback(torch::CppFunction::makeFallthrough());
}
TORCH_LIBRARY_IMPL(aten, AutocastPrivateUse1,
                   m){KERNEL_PRIVATEUSEONE(linear, lower_precision_fp)
                          KERNEL_PRIVATEUSEONE(matmul, lower_precision_fp)} C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard)

}  // namespace

void use_stand_in_device() {
  static Hooks hooks;
  static const bool done = [] {
    at::RegisterPrivateUse1HooksInterface(&hooks);
    c10::register_privateuse1_backend("stand_in");
    return true;
  }();
  static_cast<void>(done);
}

std::int64_t operations_on_stand_in() {
  return operations.load();
}

}  // namespace retort::train::testing
