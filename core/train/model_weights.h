// Between a Hugging Face folder and a DecoderModule. Internal to core/train.
#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "model/model_folder.h"
#include "task/prompt_contract.h"
#include "text/tokenizer.h"
#include "train/decoder_module.h"

namespace retort::train {

/// A model with what it needs to be asked.
struct CallModule {
  text::Tokenizer tokenizer;
  task::PromptContract contract;
  std::unique_ptr<DecoderModule> decoder;
};

/// Loads weights, int8 ones dequantised to f32. Errors as ModelFolder's.
std::unique_ptr<DecoderModule> load_decoder(const model::ModelFolder& folder);
/// The folder with its tokenizer.json and the task in retort.json; errors name what is missing.
CallModule load_call_module(const std::filesystem::path& folder);

/// Writes config.json, model.safetensors, tokenizer.json and retort.json.
void save_call_module(const std::filesystem::path& folder, const DecoderModule& decoder,
                      const text::Tokenizer& tokenizer, const task::PromptContract& contract);

}  // namespace retort::train
