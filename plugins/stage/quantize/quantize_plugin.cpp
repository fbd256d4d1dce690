// stage.quantize: turns a model's weights into codes as a quantizer plugin decides.
#include <filesystem>
#include <stdexcept>
#include <utility>

#include "../common/compression_stage.h"
#include "host/base/json.h"
#include "train/quantization.h"

namespace {

class QuantizeStage : public retort::Stage {
 public:
  struct Params {
    bool embedding = true;
    bool head = true;
    bool pure = false;
    std::string activations = "float";
    double max_rejected_share = 0.01;
  };
  static auto schema() {
    return retort::params<Params>()
        .boolean("embedding", &Params::embedding)
        .doc("quantise the embedding, and the head that is tied to it; int8 with an algorithm of 4 bits, unless pure")
        .boolean("head", &Params::head)
        .doc("quantise a separate head; int8 with an algorithm of 4 bits, unless pure")
        .boolean("pure", &Params::pure)
        .doc(
            "with an algorithm of 4 bits, the embedding and the head in 4 bits too: a fifth less to read for every "
            "token of Qwen2.5-0.5B, at some cost in accuracy")
        .string("activations", &Params::activations)
        .one_of({"float", "int8"})
        .doc(
            "what int8 weights are multiplied by: float halves the speed of prompts, and costs models of a million "
            "weights a fifth of theirs; int8, with a scale per token, is fastest and does for models without outliers, "
            "such as small ones trained from scratch")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("of the calibration rows that may be unusable: they are left out and said");
  }
  explicit QuantizeStage(Params params) : params_(std::move(params)) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("model", "model", "what to quantise")
            .input("dataset", "dataset", "calibration data, where the algorithm asks for it", RETORT_INPUT_OPTIONAL)
            .input("sensitivity", "report",
                   "of stage.sensitivity: its layers of 8 bits, in place of the algorithm's overrides",
                   RETORT_INPUT_OPTIONAL)
            .slot("algorithm", RETORT_QUANTIZER_INTERFACE, "makes codes and scales");
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    return retort::stages::compression_findings(context, retort::train::check_quantizer);
  }

  void run(const retort::StageContext& context) override {
    retort::train::QuantizationJob job;
    job.model = context.input_folder("model");
    if (context.has_input("dataset")) job.dataset = context.input_folder("dataset");
    job.max_rejected_share = params_.max_rejected_share;
    job.quantizer =
        context.has_input("sensitivity") ? with_measured_layers(context) : retort::stages::algorithm(context);
    job.storage.embedding = params_.embedding;
    job.storage.head = params_.head;
    job.storage.pure = params_.pure;
    job.storage.activation_bits = params_.activations == "int8" ? 8 : 0;
    job.seed = context.seed();
    job.threads = context.threads();
    job.output = context.output_folder();
    retort::stages::record_size(context, retort::train::quantize(job, retort::stages::hooks(context)));
  }

 private:
  /// The algorithm once more, with the overrides that stage.sensitivity chose.
  static retort_bound_component with_measured_layers(const retort::StageContext& context) {
    const std::filesystem::path file = std::filesystem::path(context.input_folder("sensitivity")) / "sensitivity.json";
    const nlohmann::json report = retort::host::read_json(file);
    if (!report.contains("overrides"))
      throw std::invalid_argument(file.string() + ": expected the \"overrides\" of stage.sensitivity, found none");
    retort::log_info("layers of 8 bits: " + report.at("overrides").dump());
    return retort::stages::bound<retort_quantizer_v1>(
        context.create("algorithm", 0, nlohmann::json{{"overrides", report.at("overrides")}}.dump()));
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.quantize", "1.5.0", "Apache-2.0",
                   retort::component<QuantizeStage>(
                       "stage.quantize", "1.5.0", "post-training quantisation to int8 per channel or int4 in groups"));
