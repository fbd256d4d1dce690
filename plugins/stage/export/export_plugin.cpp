// stage.export: a model folder that can leave the run: weights, task, lineage, measured results, golden calls, card.
// Golden calls are computed by the exported copy itself, so an export that cannot answer is not made.
#include <filesystem>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "host/base/files.h"
#include "host/base/json.h"
#include "host/config/stage_key.h"
#include "lineage.h"
#include "model/stored_weights.h"
#include "model_card.h"
#include "runtime/decoder/packed_weights.h"
#include "runtime/generate/call_model.h"
#include "runtime/measure/evaluation.h"
#include "runtime/measure/golden_calls.h"
#include "task/dataset.h"

namespace {

using nlohmann::json;
using retort::StageContext;
using Path = std::filesystem::path;

/// All files but the artifact's manifest, which is the host's, and packed forms, which are the machine's.
void copy_model(const Path& from, const Path& to) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(from)) {
    const Path relative = entry.path().lexically_relative(from);
    if (relative == "manifest.json" || retort::runtime::is_packed_file(relative)) continue;
    if (entry.is_directory())
      std::filesystem::create_directories(to / relative);
    else
      retort::host::copy_file(entry.path(), to / relative, &retort::throw_if_stopped);
  }
}

class Export : public retort::Stage {
 public:
  struct Params {
    std::string title;
    std::string split = "test";
    std::int64_t golden_calls = 20;
    std::int64_t threads = 1;
    double max_rejected_share = 0.01;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("title", &Params::title)
        .doc("title of the model card; empty: the name of the model's stage")
        .string("split", &Params::split)
        .doc("split of the dataset that golden calls come from")
        .integer("golden_calls", &Params::golden_calls)
        .at_least(0)
        .unit("utterance")
        .doc(
            "utterances whose calls are stored with their tokens' logits, the first of the split: what `retort verify` "
            "computes again; 0: none")
        .integer("threads", &Params::threads)
        .at_least(1)
        .doc("threads of the inference that computes golden calls")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("of the split's rows that may be no chat rows");
  }

  explicit Export(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("model", "model", "what to export")
            .input("report", "report", "what was measured, for the model card", RETORT_INPUT_OPTIONAL)
            .input("dataset", "dataset", "utterances for golden calls", RETORT_INPUT_OPTIONAL)
            .input("verification", "report", "whether the runtime computes what was trained, as stage.verify says it",
                   RETORT_INPUT_OPTIONAL);
    return shape;
  }

  void run(const StageContext& context) override {
    const Path source = context.input_folder("model"), folder = context.output_folder();
    copy_model(source, folder);
    const std::string name = context.input_name("model");
    const json report = read_report(context);
    json description = retort::model::ModelFolder(folder).retort();
    description["lineage"] = retort::stages::lineage_of(source);
    description.erase("measured");
    if (const json measured = measured_of(report, name); !measured.is_null()) description["measured"] = measured;

    description.erase("verification");
    if (const json verified = verification_of(context); !verified.is_null()) description["verification"] = verified;

    retort::runtime::DecoderOptions options;
    options.threads = params_.threads;
    retort::runtime::CallModel model(folder, options);
    const json golden = golden_calls(context, model);
    description["golden"] = golden;
    description["versions"] = {{"retort", retort::host::product_version()},
                               {"runtime", model.decoder().implementations().front()}};
    description["files"] = retort::runtime::hashes_of_files(folder);
    retort::host::write_json(folder / "retort.json", description);
    write_card(context, model, report, description);
    context.fact("parameters", std::to_string(model.folder().config().parameters()));
    context.fact("bytes", std::to_string(model.folder().weight_bytes()));
    context.fact("golden_calls", std::to_string(golden.size()));
  }

 private:
  static json read_report(const StageContext& context) {
    if (!context.has_input("report")) return nullptr;
    const Path file = Path(context.input_folder("report")) / "evaluation.json";
    json report = retort::host::read_json(file);
    for (const char* key : {"dataset", "split", "utterances", "models"})
      if (!report.is_object() || !report.contains(key))
        throw std::invalid_argument(file.string() + ": expected the key \"" + key + "\", as stage.evaluate writes it");
    return report;
  }

  /// This model's figures, without its misses, which stay in the report; null when the report has none.
  static json measured_of(const json& report, const std::string& name) {
    if (report.is_null()) return nullptr;
    for (const json& model : report.at("models")) {
      if (model.at("name") != name) continue;
      json measured = model;
      for (const char* key : {"name", "misses", "parameters"}) measured.erase(key);
      for (const char* key : {"dataset", "split", "utterances"}) measured[key] = report.at(key);
      return measured;
    }
    retort::log_warning("stage.export: the report does not measure '" + name +
                        "', so the export has no measured results; add it to the evaluate stage's models");
    return nullptr;
  }

  /// The verdict and its figures, without the differences, which stay in the report.
  static json verification_of(const StageContext& context) {
    if (!context.has_input("verification")) return nullptr;
    const Path file = Path(context.input_folder("verification")) / "agreement.json";
    json verified = retort::host::read_json(file);
    if (!verified.is_object() || !verified.value("verdict", json()).is_string())
      throw std::invalid_argument(file.string() + ": expected a text \"verdict\", as stage.verify writes it");
    verified.erase("differences");
    if (verified.value("int8_activations", json()).is_object()) verified["int8_activations"].erase("differences");
    return verified;
  }

  json golden_calls(const StageContext& context, retort::runtime::CallModel& model) const {
    json golden = json::array();
    if (!context.has_input("dataset")) return golden;
    const auto split = retort::task::read_split(Path(context.input_folder("dataset")) / (params_.split + ".jsonl"),
                                                params_.max_rejected_share);
    const auto total = std::min(params_.golden_calls, static_cast<std::int64_t>(split.examples.size()));
    for (std::int64_t i = 0; i < total; ++i) {
      retort::throw_if_stopped();
      context.progress("golden calls", i, total, "utterance");
      golden.push_back(retort::runtime::golden_call(model, split.examples[static_cast<std::size_t>(i)]));
    }
    context.progress("golden calls", total, total, "utterance");
    return golden;
  }

  void write_card(const StageContext& context, const retort::runtime::CallModel& model, const json& report,
                  const json& description) const {
    retort::stages::ModelCard card;
    card.name = context.input_name("model");
    card.title = params_.title.empty() ? card.name : params_.title;
    card.architecture = model.folder().config().architecture;
    card.parameters = model.folder().config().parameters();
    card.bytes = model.folder().weight_bytes();
    card.quantized = model.folder().quantized();
    card.weights = retort::model::weight_forms(model.folder());
    card.tools = model.contract().tools();
    const json& golden = description.at("golden");
    card.example_utterance = golden.empty() ? "…" : golden.front().at("utterance").get<std::string>();
    card.report = report;
    card.lineage = description.at("lineage");
    if (description.contains("verification")) card.verdict = description["verification"].at("verdict");
    try {
      retort::host::write_file_atomically(Path(context.output_folder()) / "README.md",
                                          retort::stages::to_markdown(card));
    } catch (const json::exception& error) {
      throw std::invalid_argument("the report's evaluation.json is not what stage.evaluate writes: " +
                                  std::string(error.what()));
    }
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("export", "1.2.0", "Apache-2.0",
                   retort::component<Export>("stage.export", "1.2.0",
                                             "a complete model folder with task, lineage, measured results, golden "
                                             "calls and a model card"));
