// On what device a training computes, as configs name it. No LibTorch.
#pragma once

#include <string>
#include <vector>

namespace retort::train {

/// What is wrong with "training.device" on this machine, one sentence each; none where training can begin on it:
/// "cpu", "cuda:N", or "cuda", which is the GPU that LOCAL_RANK names where there are several processes, else the
/// first. There is no "auto": what a stage makes would depend on the machine, and its key would not say so.
std::vector<std::string> device_findings(const std::string& device);

}  // namespace retort::train
