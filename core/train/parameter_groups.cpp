#include "train/parameter_groups.h"

#include <set>
#include <stdexcept>

namespace retort::train {

ParameterGroups::ParameterGroups(std::vector<ParameterGroup> groups) {
  for (ParameterGroup& group : groups) add(std::move(group));
}

void ParameterGroups::add(ParameterGroup group) {
  const auto refuse = [&](const std::string& why) {
    throw std::invalid_argument("parameter group '" + group.name + "': " + why);
  };
  for (const ParameterGroup& known : groups_)
    if (known.name == group.name) refuse("there is one of this name already");
  if (group.tensors.empty()) refuse("expected at least one tensor, found none");
  std::set<std::string> names;
  for (const auto& [name, tensor] : group.tensors) {
    if (!names.insert(name).second) refuse("tensor '" + name + "' occurs twice");
    if (!tensor.defined() || !tensor.requires_grad()) refuse("tensor '" + name + "' does not require a gradient");
  }
  groups_.push_back(std::move(group));
}

std::vector<torch::Tensor> ParameterGroups::tensors() const {
  std::vector<torch::Tensor> list;
  for (const ParameterGroup& group : groups_)
    for (const auto& entry : group.tensors) list.push_back(entry.second);
  return list;
}

std::vector<std::pair<std::string, torch::Tensor>> ParameterGroups::named_tensors() const {
  std::vector<std::pair<std::string, torch::Tensor>> list;
  for (const ParameterGroup& group : groups_)
    for (const auto& [name, tensor] : group.tensors) list.emplace_back(group.name + "/" + name, tensor);
  return list;
}

ParameterGroup decoder_group(const DecoderModule& decoder) {
  return {"decoder", decoder.weights()};
}

}  // namespace retort::train
