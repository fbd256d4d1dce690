#include "train/processes.h"

#include <charconv>
#include <cstdlib>
#include <stdexcept>
#include <string>

#ifdef RETORT_HAS_GLOO
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>
#endif

namespace retort::train {
namespace {

using torch::Tensor;

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

void expect_one_process(const std::string& work) {
  const std::string size = text_of("WORLD_SIZE");
  if (!size.empty() && size != "1")
    throw std::invalid_argument("environment WORLD_SIZE: expected 1 or none for " + work + ", which " + size +
                                " processes would each do for themselves; fine-tuning and distillation share a batch");
}

#ifdef RETORT_HAS_GLOO

struct Processes::Group {
  c10::intrusive_ptr<c10d::Store> store;
  c10::intrusive_ptr<c10d::ProcessGroupGloo> gloo;

  Group(std::int64_t rank, std::int64_t size, const std::string& address, std::int64_t port) {
    using namespace std::chrono_literals;
    c10d::TCPStoreOptions options;
    options.port = static_cast<std::uint16_t>(port);
    options.isServer = rank == 0;
    options.numWorkers = static_cast<std::size_t>(size);
    options.timeout = 60s;
    options.useLibUV = false;
    store = c10::make_intrusive<c10d::TCPStore>(address, options);
    const auto settings = c10d::ProcessGroupGloo::Options::create(300s);
    // The interface over which the master is reached: on one machine with the loopback address, that one alone.
    const bool here = address == "127.0.0.1" || address == "localhost";
    settings->devices.push_back(here ? c10d::ProcessGroupGloo::createDeviceForHostname("127.0.0.1")
                                     : c10d::ProcessGroupGloo::createDefaultDevice());
    gloo = c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(rank), static_cast<int>(size), settings);
  }

  void sum(Tensor values) const {
    std::vector<Tensor> all{std::move(values)};
    gloo->allreduce(all)->wait();
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

std::span<const std::size_t> Processes::share(const std::vector<std::size_t>& batch) const {
  const auto all = static_cast<std::size_t>(size_), own = static_cast<std::size_t>(rank_);
  const std::size_t begin = batch.size() * own / all, end = batch.size() * (own + 1) / all;
  return std::span(batch).subspan(begin, end - begin);
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
  const Tensor flat = torch::zeros({elements});
  std::int64_t at = 0;
  for (const Tensor& weight : weights) {
    if (weight.grad().defined()) flat.narrow(0, at, weight.numel()).copy_(weight.grad().reshape({-1}));
    at += weight.numel();
  }
  try {
    group_->sum(facts);
    if (facts[count + 1].item<double>() != static_cast<double>(step * size_))
      throw std::runtime_error("process " + std::to_string(rank_) + " is at step " + std::to_string(step) +
                               ", others are not: delete the work folders of all and start again");
    group_->sum(flat);
  } catch (const c10::Error& error) {
    throw std::runtime_error("another process of this training is gone: " +
                             std::string(error.what_without_backtrace()));
  }
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
