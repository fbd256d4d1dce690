// The device that model, batches, losses and the optimiser's state of a training are on. Models are read, cut and
// written on the CPU, rollouts and validations are the runtime's (policy_engine.h), plugins get host memory
// (plugin_node.h), and checkpoints hold copies of the CPU: each works with any device. Internal to core/train.
#pragma once

#include <string>

#include "train/libtorch.h"

namespace retort::train {

/// What device_findings() (training_device.h) accepts; also a backend that a library has registered with LibTorch, by
/// its name. Throws std::invalid_argument with these findings.
torch::Device device_of(const std::string& name);

}  // namespace retort::train
