#include "train/processes.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <stdexcept>
#include <string>

#ifdef RETORT_HAS_GLOO
#include <c10/core/DeviceGuard.h>

#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif
#ifdef RETORT_HAS_NCCL
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>
#endif

namespace retort::train {
namespace {

using torch::Tensor;

#ifdef RETORT_HAS_NCCL
constexpr bool has_nccl = true;
#else
constexpr bool has_nccl = false;
#endif

std::string text_of(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::int64_t number_of(const char* name, std::int64_t least, std::int64_t most) {
  const std::string text = text_of(name);
  std::int64_t value = least - 1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most)
    throw std::invalid_argument("environment " + std::string(name) + ": expected a number from " +
                                std::to_string(least) + " to " + std::to_string(most) +
                                " where WORLD_SIZE is set, found \"" + text + "\"");
  return value;
}

}  // namespace

#ifdef RETORT_HAS_GLOO

struct Processes::Group {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;
#ifdef RETORT_HAS_NCCL
  mutable c10::intrusive_ptr<c10d::ProcessGroupNCCL> nccl;  ///< made for the first tensor of a GPU
#endif

  Group(std::int64_t rank, std::int64_t size, const std::string& address, std::int64_t port) {
    using namespace std::chrono_literals;
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(port);
    options.isServer = rank == 0;
    options.numWorkers = static_cast<std::size_t>(size);
    options.timeout = 60s;
    options.useLibUV = false;
    store = c10::make_intrusive<c10d::TCPStore>(address, options);
    const auto settings = c10d::ProcessGroupGloo::Options::create(30min);  // rewards may be slow
    // The interface over which the master is reached: on one machine with the loopback address, that one alone.
    const bool here = address == "127.0.0.1" || address == "localhost";
    settings->devices.push_back(here ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                     : c10d::ProcessGroupGloo::createDefaultDevice());
    gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(rank), static_cast<int>(size), settings);
  }

  /// In place.
  void sum(const Tensor& values) const {
#ifdef RETORT_HAS_NCCL
    if (values.is_cuda()) return sum_by_nccl(values);
#endif
    std::vector<Tensor> all{values.cpu()};
    gloo->allreduce(all)->wait();
    if (!values.is_cpu()) Tensor(values).copy_(all.front());
  }
#ifdef RETORT_HAS_NCCL
  void sum_by_nccl(const Tensor& values) const {
    const c10::DeviceGuard here(values.device());
    if (!nccl) {
      const auto settings = c10d::ProcessGroupNCCL::Options::create();
      settings->timeout = std::chrono::minutes(30);
      nccl = c10::make_intrusive<c10d::ProcessGroupNCCL>(c10::make_intrusive<c10d::PrefixStore>("nccl", store),
                                                         gloo->getRank(), gloo->getSize(), settings);
    }
    std::vector<Tensor> all{values};
    nccl->allreduce(all)->wait();  // the device's later work waits, not this thread
  }
#endif
  /// Tensors of one shape, a process each.
  std::vector<Tensor> gather(Tensor own) const {
    std::vector<std::vector<Tensor>> all(1);
    for (int i = 0; i < gloo->getSize(); ++i) all.front().push_back(torch::empty_like(own));
    std::vector<Tensor> given{std::move(own)};
    gloo->allgather(all, given)->wait();
    return all.front();
  }
};

#else

struct Processes::Group {
  Group(std::int64_t, std::int64_t, const std::string&, std::int64_t) {
    throw std::runtime_error(
        "WORLD_SIZE asks for several processes, and this build of Retort has no Gloo: build it with libgloo-dev "
        "installed, or unset WORLD_SIZE");
  }
  void sum(const Tensor&) const {}
  std::vector<Tensor> gather(const Tensor& own) const { return {own}; }
};

#endif

Processes::Processes() {
  if (text_of("WORLD_SIZE").empty()) return;
  constexpr std::int64_t most = 4096;
  size_ = number_of("WORLD_SIZE", 1, most);
  if (size_ == 1) return;
  rank_ = number_of("RANK", 0, size_ - 1);
  const std::int64_t port = number_of("MASTER_PORT", 1, 65535);
  const std::string address = text_of("MASTER_ADDR");
  if (address.empty())
    throw std::invalid_argument("environment MASTER_ADDR: expected the address of the process with RANK 0, found none");
  try {
    group_ = std::make_unique<Group>(rank_, size_, address, port);
  } catch (const c10::Error& error) {
    throw std::runtime_error("the " + std::to_string(size_) + " processes of this training do not meet at " + address +
                             ":" + std::to_string(port) + ": " + error.what_without_backtrace());
  }
}

Processes::~Processes() = default;

const Processes& Processes::of_environment() {
  static const Processes& processes = *new Processes;  // never destroyed: its threads would be joined at exit
  return processes;
}

Share Processes::share(std::size_t count) const {
  const auto all = static_cast<std::size_t>(size_), own = static_cast<std::size_t>(rank_);
  return {count * own / all, count * (own + 1) / all};
}

std::span<const std::size_t> Processes::share(const std::vector<std::size_t>& batch) const {
  const Share own = share(batch.size());
  return std::span(batch).subspan(own.begin, own.end - own.begin);
}

namespace {

template <typename Body>
auto unless_gone(const Body& body) {
  try {
    return body();
  } catch (const c10::Error& error) {
    throw ProcessGone("another process of this training is gone: " + std::string(error.what_without_backtrace()));
  } catch (const std::runtime_error& error) {  // Gloo's own
    throw ProcessGone("another process of this training is gone: " + std::string(error.what()));
  }
}

}  // namespace

std::vector<nlohmann::json> Processes::gather(const nlohmann::json& own) const {
  if (alone()) return {own};
  const torch::NoGradGuard no_grad;
  std::vector<std::uint8_t> bytes = nlohmann::json::to_cbor(own);
  const std::vector<Tensor> sizes =
      unless_gone([&] { return group_->gather(torch::tensor({static_cast<std::int64_t>(bytes.size())})); });
  std::int64_t longest = 0;
  for (const Tensor& size : sizes) longest = std::max(longest, size.item<std::int64_t>());
  bytes.resize(static_cast<std::size_t>(longest));
  const Tensor padded = torch::from_blob(bytes.data(), {longest}, torch::kUInt8);
  const std::vector<Tensor> all = unless_gone([&] { return group_->gather(padded); });
  std::vector<nlohmann::json> said;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    const auto* begin = all[rank].data_ptr<std::uint8_t>();
    said.push_back(nlohmann::json::from_cbor(begin, begin + sizes[rank].item<std::int64_t>()));
  }
  return said;
}

void Processes::expect_alike(const nlohmann::json& own, const std::string& what_to_do) const {
  if (alone()) return;
  const std::vector<nlohmann::json> all = gather(own);
  std::string differences;
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    for (const auto& [name, value] : own.items()) {
      const nlohmann::json other = all[rank].value(name, nlohmann::json());
      if (other == value) continue;
      differences += (differences.empty() ? "" : ", ") + name + " is " + value.dump() + " for process " +
                     std::to_string(rank_) + " and " + other.dump() + " for process " + std::to_string(rank);
    }
  if (!differences.empty())
    throw std::runtime_error("processes of one training begin with different work: " + differences + "; " + what_to_do);
}

std::string Processes::carrier(torch::Device device) {
  if (device.is_cpu()) return "Gloo";
  if (device.is_cuda() && has_nccl) return "NCCL";
  return "Gloo, through copies on the CPU, as this build has no NCCL";
}

std::map<std::string, double> Processes::sum(const std::map<std::string, double>& own) const {
  if (alone()) return own;
  std::map<std::string, double> sums;
  for (const nlohmann::json& part : gather(own))
    for (const auto& [name, value] : part.items()) sums[name] += value.get<double>();
  return sums;
}

bool Processes::any(bool own) const {
  if (alone()) return own;
  const Tensor count = torch::full({1}, own ? 1.0 : 0.0, torch::kFloat64);
  unless_gone([&] { group_->sum(count); });
  return count.item<double>() > 0;
}

double Processes::sum_gradients(const std::vector<Tensor>& weights, double loss, std::int64_t step) const {
  if (alone()) return loss;
  const torch::NoGradGuard no_grad;
  // Which weights have a gradient anywhere, the loss, and the step that everybody should be at.
  const auto count = static_cast<std::int64_t>(weights.size());
  const Tensor facts = torch::zeros({count + 2}, torch::kFloat64);
  std::int64_t elements = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const Tensor& weight = weights[static_cast<std::size_t>(i)];
    facts[i].fill_(weight.grad().defined() ? 1 : 0);
    elements += weight.numel();
  }
  facts[count].fill_(loss);
  facts[count + 1].fill_(static_cast<double>(step));
  const torch::Device device = weights.empty() ? torch::Device(torch::kCPU) : weights.front().device();
  const Tensor flat = torch::zeros({elements}, torch::device(device));
  std::int64_t at = 0;
  for (const Tensor& weight : weights) {
    if (weight.grad().defined()) flat.narrow(0, at, weight.numel()).copy_(weight.grad().reshape({-1}));
    at += weight.numel();
  }
  unless_gone([&] { group_->sum(facts); });
  if (facts[count + 1].item<double>() != static_cast<double>(step * size_))
    throw std::runtime_error("process " + std::to_string(rank_) + " is at step " + std::to_string(step) +
                             ", others are not: delete the work folders of all and start again");
  unless_gone([&] { group_->sum(flat); });
  at = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    Tensor weight = weights[static_cast<std::size_t>(i)];
    if (facts[i].item<double>() > 0)
      weight.mutable_grad() = flat.narrow(0, at, weight.numel()).view(weight.sizes()).clone();
    at += weight.numel();
  }
  return facts[count].item<double>();
}

}  // namespace retort::train
