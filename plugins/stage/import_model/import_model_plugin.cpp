// stage.import_model: a pretrained model as an artifact of the run, so that its lineage names what training began with.
#include <algorithm>
#include <array>
#include <filesystem>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <string>

#include "host/base/files.h"
#include "host/base/json.h"
#include "model/model_folder.h"
#include "task/dataset.h"
#include "task/prompt_contract.h"
#include "task/template_form.h"
#include "text/tokenizer.h"

namespace {

using Path = std::filesystem::path;

/// Whether a file of a Hugging Face folder is part of the model that Retort reads.
bool belongs_to_model(const Path& file) {
  static constexpr std::array names = {"config.json",
                                       "generation_config.json",
                                       "tokenizer.json",
                                       "tokenizer_config.json",
                                       "special_tokens_map.json",
                                       "chat_template.jinja",
                                       "model.safetensors.index.json",
                                       "retort.json",
                                       "LICENSE"};
  return file.extension() == ".safetensors" || std::find(names.begin(), names.end(), file.filename()) != names.end();
}

void copy_folder(const Path& from, const Path& to) {
  for (const auto& entry : std::filesystem::directory_iterator(from)) {
    if (!belongs_to_model(entry.path())) continue;
    retort::host::copy_file(entry.path(), to / entry.path().filename(), &retort::throw_if_stopped);
  }
}

/// Gives the model in `folder` the tools of `dataset`, asked for by its own chat template; a task that it has stays.
void give_task(const Path& folder, const Path& dataset) {
  const Path file = folder / "retort.json";
  retort::host::Json retort =
      std::filesystem::exists(file) ? retort::host::read_json(file) : retort::host::Json{{"format", 1}};
  if (retort.contains("task")) return retort::log_info("the model brings a task of its own, which it keeps");
  const retort::task::PromptContract contract(retort::task::template_form(retort::task::ChatTemplate::load(folder)),
                                              retort::task::read_tools(dataset / "tools.json"));
  retort["task"] = contract.to_json();
  retort::host::write_json(file, retort);
}

class ImportModelStage final : public retort::Stage {
 public:
  struct Params {
    std::string path;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("path", &Params::path)
        .existing_path()
        .required()
        .doc("a Hugging Face folder: config.json, tokenizer.json, *.safetensors");
  }
  explicit ImportModelStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape = retort::StageShape("model").input(
        "dataset", "dataset",
        "tools that the model is asked to call by its own chat template: it can be evaluated, pruned and quantised "
        "as it is. Without it, and without a task of its own, it learns one first (stage.sft)",
        RETORT_INPUT_OPTIONAL);
    return shape;
  }

  void run(const retort::StageContext& context) override {
    const Path folder = context.output_folder();
    copy_folder(params_.path, folder);
    if (context.has_input("dataset")) give_task(folder, context.input_folder("dataset"));
    // Both throw for what Retort cannot use, before hours of training build on it.
    const retort::model::ModelFolder model(folder);
    const retort::text::Tokenizer tokenizer = retort::text::Tokenizer::load(folder);
    context.fact("parameters", std::to_string(model.config().parameters()));
    context.fact("bytes", std::to_string(model.weight_bytes()));
    context.fact("architecture", nlohmann::json(model.config().architecture).dump());
    context.fact("vocabulary", std::to_string(tokenizer.vocabulary_size()));
  }

 private:
  Params params_;
};

}  // namespace

RETORT_PLUGIN(ImportModelStage, "stage.import_model", "1.1.0", "a pretrained model folder as a model to start from");
