#include "train/task_files.h"

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/json.h"
#include "model/model_folder.h"

namespace retort::train {
namespace {

/// The template where other software looks for it.
void save_template(const std::filesystem::path& folder, const nlohmann::json& form) {
  for (const auto& item : form.at("template").items()) {
    const bool first = item.key() == "default";
    if (!first) std::filesystem::create_directories(folder / "additional_chat_templates");
    host::write_file_atomically(
        first ? folder / "chat_template.jinja" : folder / "additional_chat_templates" / (item.key() + ".jinja"),
        item.value().get<std::string>());
  }
  host::write_json(folder / "tokenizer_config.json", form.at("special_tokens"));
}

}  // namespace

TaskFiles load_task_files(const std::filesystem::path& folder) {
  const model::ModelFolder opened(folder);
  if (!opened.retort().contains("task"))
    throw std::invalid_argument((folder / "retort.json").string() +
                                ": expected the task under \"task\", found none: this model knows no task yet; "
                                "fine-tune it first (stage.sft), or import it with a data set (stage.import_model)");
  return {text::Tokenizer::load(folder / "tokenizer.json"),
          task::PromptContract::from_json(opened.retort().at("task"), (folder / "retort.json").string())};
}

void save_task_files(const std::filesystem::path& folder, const text::Tokenizer& tokenizer,
                     const task::PromptContract& contract) {
  host::write_file_atomically(folder / "tokenizer.json", tokenizer.to_json());
  host::write_json(folder / "retort.json", {{"format", 1}, {"task", contract.to_json()}});
  if (contract.format() == "chat_template") save_template(folder, contract.form().to_json());
}

}  // namespace retort::train
