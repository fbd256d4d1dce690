#include "train/device.h"

#include <c10/core/DeviceType.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <charconv>
#include <cstdlib>
#include <optional>
#include <stdexcept>

#include "train/training_device.h"

namespace retort::train {
namespace {

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::optional<std::int64_t> number(const std::string& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) return std::nullopt;
  return value;
}

[[noreturn]] void refuse(const std::string& expected, const std::string& found, const std::string& why) {
  throw std::invalid_argument("expected " + expected + ", found \"" + found + "\"" + why);
}

c10::DeviceType type_of(const std::string& kind, const std::string& name) {
  if (kind == "cuda") return c10::DeviceType::CUDA;
  if (c10::is_privateuse1_backend_registered() && kind == c10::get_privateuse1_backend())
    return c10::DeviceType::PrivateUse1;
  refuse("\"cpu\", \"cuda\" or \"cuda:N\"", name, "");
}

/// How many this LibTorch sees, at least one.
std::int64_t count_of(c10::DeviceType type, const std::string& name) {
  if (!c10::impl::hasDeviceGuardImpl(type))
    refuse("\"cpu\"", name,
           ": this LibTorch was built without CUDA (Debian's is): set it to \"cpu\", or build Retort with "
           "-DCMAKE_PREFIX_PATH=FOLDER of a LibTorch that has it");
  const std::int64_t count = c10::impl::getDeviceGuardImpl(type)->deviceCount();
  if (count == 0)
    refuse("\"cpu\"", name,
           ": LibTorch sees no GPU: set it to \"cpu\", or see to the driver (nvidia-smi) and to CUDA_VISIBLE_DEVICES");
  return count;
}

/// Which one is this process's, where the config does not say.
std::int64_t own_index(const std::string& name) {
  const std::string processes = environment("WORLD_SIZE"), rank = environment("LOCAL_RANK");
  if (processes.empty() || processes == "1") return 0;
  if (const auto index = number(rank)) return *index;
  refuse("the environment's LOCAL_RANK to be a number where WORLD_SIZE is " + processes, name,
         " and LOCAL_RANK \"" + rank +
             "\": torchrun sets it; with others set it to the process's number on its machine "
             "(Slurm: SLURM_LOCALID, Open MPI: OMPI_COMM_WORLD_LOCAL_RANK)");
}

}  // namespace

namespace {

torch::Device parsed(const std::string& name) {
  if (name == "cpu") return torch::kCPU;
  const std::size_t colon = name.find(':');
  const c10::DeviceType type = type_of(name.substr(0, colon), name);
  const std::optional<std::int64_t> given =
      colon == std::string::npos ? own_index(name) : number(name.substr(colon + 1));
  if (!given) refuse("\"cpu\", \"cuda\" or \"cuda:N\"", name, "");
  const std::int64_t count = count_of(type, name);
  if (*given >= count)
    refuse("one of the " + std::to_string(count) + " that LibTorch sees, from 0", name,
           colon == std::string::npos ? " with LOCAL_RANK " + std::to_string(*given) : "");
  return {type, static_cast<torch::DeviceIndex>(*given)};
}

}  // namespace

torch::Device device_of(const std::string& name) {
  try {
    return parsed(name);
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument("device: " + std::string(error.what()));
  }
}

std::vector<std::string> device_findings(const std::string& device) {
  try {
    parsed(device);
    return {};
  } catch (const std::exception& error) {
    return {error.what()};
  }
}

}  // namespace retort::train
