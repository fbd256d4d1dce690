// How long work tells its caller how far it is, and learns that it should stop. No LibTorch.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>

namespace retort::train {

/// All are called on the thread that does the work; none may be empty.
struct RunHooks {
  std::function<void(std::string_view name, std::int64_t step, double value)> metric;
  std::function<void(std::string_view label, std::int64_t done, std::int64_t total, std::string_view unit)> progress;
  std::function<void()> throw_if_stopped;
  std::function<void(std::string_view message)> log;
};

}  // namespace retort::train
