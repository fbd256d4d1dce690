#include "train/model_weights.h"

#include "train/task_files.h"

namespace retort::train {

std::unique_ptr<DecoderModule> load_decoder(const model::ModelFolder& folder) {
  auto decoder = std::make_unique<DecoderModule>(folder.config(), 0);
  torch::NoGradGuard no_grad;
  for (const auto& [name, target] : decoder->weights()) {
    torch::Tensor weight = target;
    const bool matrix = target.dim() == 2;
    std::vector<float> values =
        matrix ? model::to_f32(folder.linear(name.substr(0, name.size() - std::string(".weight").size())))
               : model::to_f32(folder.tensor(name));
    weight.copy_(torch::from_blob(values.data(), target.sizes()));
  }
  return decoder;
}

CallModule load_call_module(const std::filesystem::path& folder) {
  TaskFiles task = load_task_files(folder);
  return {std::move(task.tokenizer), std::move(task.contract), load_decoder(model::ModelFolder(folder))};
}

void save_call_module(const std::filesystem::path& folder, const DecoderModule& decoder,
                      const text::Tokenizer& tokenizer, const task::PromptContract& contract) {
  std::vector<torch::Tensor> kept;  // keeps contiguous copies alive while they are written
  std::vector<model::StoredTensor> views;
  for (const auto& [name, weight] : decoder.weights()) {
    kept.push_back(decoder.merged_weight(name).detach().cpu().contiguous());
    const torch::Tensor& tensor = kept.back();
    views.push_back({name, model::DataType::f32, tensor.sizes().vec(),
                     reinterpret_cast<const std::byte*>(tensor.data_ptr<float>())});
  }
  model::save_model(folder, decoder.config(), views);
  save_task_files(folder, tokenizer, contract);
}

}  // namespace retort::train
