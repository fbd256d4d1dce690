// A component that the host made for a stage: its instance, its function table, and how its errors become exceptions.
// No LibTorch.
#pragma once

#include <retort/abi/distill.h>
#include <retort/abi/pruner.h>
#include <retort/abi/quantizer.h>
#include <retort/abi/rl.h>

#include <functional>
#include <string>

namespace retort::train {

template <typename Table>
struct PluginHandle {
  retort_instance* instance = nullptr;
  const Table* functions = nullptr;
  std::function<void(retort_error*)> throw_if_error;  ///< frees the error
  std::string id;                                     ///< "distill.forward_kl": for messages
};

using DistillPlugin = PluginHandle<retort_distill_v1>;
using RlPlugin = PluginHandle<retort_rl_v1>;
using PrunerPlugin = PluginHandle<retort_pruner_v1>;
using QuantizerPlugin = PluginHandle<retort_quantizer_v1>;

}  // namespace retort::train
