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
    static const retort::StageShape shape("model");
    return shape;
  }

  void run(const retort::StageContext& context) override {
    const Path folder = context.output_folder();
    copy_folder(params_.path, folder);
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

RETORT_PLUGIN(ImportModelStage, "stage.import_model", "1.0.0", "a pretrained model folder as a model to start from");
