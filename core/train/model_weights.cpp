#include "train/model_weights.h"

#include <stdexcept>

#include "host/files.h"
#include "host/json.h"

namespace retort::train {

std::unique_ptr<DecoderModule> load_decoder(const model::ModelFolder& folder) {
  auto decoder = std::make_unique<DecoderModule>(folder.config(), 0);
  torch::NoGradGuard no_grad;
  for (const auto& [name, target] : decoder->weights()) {
    const model::TensorView& stored = folder.tensor(name);
    torch::Tensor weight = target;
    if (stored.type == model::DataType::i8) {
      const model::LinearWeight linear = folder.linear(name.substr(0, name.size() - std::string(".weight").size()));
      const std::vector<float> scale = model::to_f32(*linear.scale);
      const torch::Tensor codes = torch::from_blob(const_cast<std::byte*>(stored.data), target.sizes(), torch::kInt8);
      weight.copy_(codes.to(torch::kFloat32) * torch::from_blob(const_cast<float*>(scale.data()), {target.size(0), 1}));
    } else {
      std::vector<float> values = model::to_f32(stored);
      weight.copy_(torch::from_blob(values.data(), target.sizes()));
    }
  }
  return decoder;
}

CallModule load_call_module(const std::filesystem::path& folder) {
  const model::ModelFolder opened(folder);
  if (!opened.retort().contains("task"))
    throw std::invalid_argument((folder / "retort.json").string() +
                                ": expected the task under \"task\", found none: this folder was not made by a Retort "
                                "stage");
  return {text::Tokenizer::load(folder / "tokenizer.json"),
          text::PromptContract::from_json(opened.retort().at("task"), (folder / "retort.json").string()),
          load_decoder(opened)};
}

void save_task_files(const std::filesystem::path& folder, const text::Tokenizer& tokenizer,
                     const text::PromptContract& contract) {
  host::write_file_atomically(folder / "tokenizer.json", tokenizer.to_json());
  host::write_json(folder / "retort.json", {{"format", 1}, {"task", contract.to_json()}});
}

void save_call_module(const std::filesystem::path& folder, const DecoderModule& decoder,
                      const text::Tokenizer& tokenizer, const text::PromptContract& contract) {
  std::vector<torch::Tensor> kept;  // keeps contiguous copies alive while they are written
  std::vector<model::TensorView> views;
  for (const auto& [name, weight] : decoder.weights()) {
    kept.push_back(weight.detach().contiguous());
    const torch::Tensor& tensor = kept.back();
    views.push_back({name, model::DataType::f32, tensor.sizes().vec(),
                     reinterpret_cast<const std::byte*>(tensor.data_ptr<float>())});
  }
  model::save_model(folder, decoder.config(), views);
  save_task_files(folder, tokenizer, contract);
}

}  // namespace retort::train
