#include "train/layer_folder.h"

#include "model/model_folder.h"

namespace retort::train {
void write_layer_folder(const std::filesystem::path& folder, const model::ModelConfig& config, const TaskFiles& task,
                        const NamedTensors& tensors, const NamedCodes& codes, std::int64_t layer,
                        const host::QuantizerCall& quantizer) {
  FolderTensors out;
  nlohmann::json description;
  if (!codes.empty()) {
    StoragePlan plan(config, linear_sites(config), quantizer, {.embedding = false, .head = false});
    plan.leave_all_but(layer);
    description = plan.description();
    for (const auto& [module, coded] : codes) {
      const ModuleStorage& storage = plan.of(module);
      if (storage.kind == ModuleStorage::Kind::quantizer && storage.scheme.bits == 4)
        out.add_int4(module, coded);
      else
        out.add_int8(module, coded);
    }
  }
  for (const auto& entry : model::tensor_shapes(config)) {
    const std::string module = entry.first.substr(0, entry.first.rfind(".weight"));
    if (!codes.contains(module)) out.add_float(entry.first, tensors.at(entry.first));
  }
  model::save_model(folder, config, out.views(config), description);
  save_task_files(folder, task.tokenizer, task.contract);
}

}  // namespace retort::train
