#include "training_bench.h"

#include <cmath>
#include <numeric>
#include <retort/host.hpp>

#include "../common/compression_stage.h"
#include "host/base/json.h"
#include "runtime/measure/forced_answers.h"
#include "train/pruning.h"
#include "train/quantization.h"
#include "train/sensitivity.h"

namespace retort::search {
namespace {

using Path = std::filesystem::path;
using Json = nlohmann::json;

/// The layers that are worth 8 bits where the layers' bytes may grow by `share` of what 8 bits everywhere would add.
Json overrides_within(const Json& sensitivity, double share) {
  std::vector<train::LayerCost> costs;
  double bytes = 0;
  for (const Json& layer : sensitivity.at("layers")) {
    costs.push_back({layer.at("loss").get<double>() - sensitivity.at("loss").get<double>(), layer.at("bytes"),
                     layer.at("bytes_8_bits")});
    const auto less = static_cast<double>(costs.back().bytes), more = static_cast<double>(costs.back().wider);
    bytes += less + share * (more - less);
  }
  Json overrides = Json::array();
  for (const std::size_t i : train::layers_worth_eight_bits(costs, static_cast<std::int64_t>(std::ceil(bytes))))
    overrides.push_back(sensitivity.at("layers")[i].at("layer").get<std::string>() + "=8");
  return overrides;
}

/// What the runtime measures of a model: the right answers fed to it, and its own.
struct Answers {
  std::int64_t bytes = 0;
  double forced_milliseconds = 0, loss = 0;
  double milliseconds = 0, exact_match = 0;  ///< 0 where its own are not asked for
};

Answers ask(const Path& folder, const BenchOptions& options, bool own,
            const std::function<bool(std::int64_t, std::int64_t)>& go_on) {
  runtime::DecoderOptions decoder;
  decoder.threads = options.inference_threads;
  runtime::CallModel model(folder, decoder);
  const runtime::ForcedAnswers forced = runtime::force_answers(model, options.rows, go_on);
  Answers found{model.folder().weight_bytes(), forced.p50_ms, forced.loss, 0, 0};
  if (!own) return found;
  const runtime::Evaluation evaluation = runtime::evaluate(model, options.rows, go_on);
  found.milliseconds = evaluation.p50_ms;
  found.exact_match = evaluation.exact_match;
  return found;
}

}  // namespace

TrainingBench::TrainingBench(const StageContext& context, BenchOptions options)
    : context_(context), options_(std::move(options)) {}

Figures TrainingBench::teacher() {
  const Path file = options_.work / "teacher.json";
  if (!std::filesystem::exists(file)) {
    const Answers found =
        ask(options_.teacher, options_, true, [](std::int64_t, std::int64_t) { return !should_stop(); });
    host::write_json(file, {{"bytes", found.bytes},
                            {"milliseconds", found.milliseconds},
                            {"exact_match", found.exact_match},
                            {"loss", found.loss},
                            {"forced_milliseconds", found.forced_milliseconds}});
  }
  const Json found = host::read_json(file);
  const double forced = found.at("forced_milliseconds");
  if (forced > 0) overhead_ = found.at("milliseconds").get<double>() / forced;
  return {found.at("bytes"), found.at("milliseconds"), found.at("exact_match"), found.at("loss")};
}

Path TrainingBench::folder_of(const Shape& shape) const {
  return options_.work / "shapes" / shape.name();
}

Path TrainingBench::cut_folder(const Shape& shape) const {
  return shape.whole() ? options_.model : options_.work / "cuts" / shape.name();
}

/// A model that nothing was cut from has nothing to learn from itself.
bool TrainingBench::learns(const Shape& shape) const {
  return !shape.whole() || options_.model != options_.teacher;
}

Path TrainingBench::float_model(const Shape& shape, std::int64_t rung) const {
  if (rung < 0 || !learns(shape)) return cut_folder(shape);
  return folder_of(shape) / ("rung-" + std::to_string(rung + 1));
}

train::RunHooks TrainingBench::hooks_of(const std::string& what) const {
  train::RunHooks hooks = stages::hooks(context_);
  hooks.metric = [this, what](std::string_view name, std::int64_t step, double value) {
    context_.metric(what + "/" + std::string(name), step, value);
  };
  return hooks;
}

void TrainingBench::cut_once(const std::string& slot, const Json& parameters, const Path& from, const Path& to) {
  train::make_once(to, [&] {
    train::PruningJob job;
    job.dataset = options_.dataset;
    job.model = from;
    job.pruner = stages::bound<retort_pruner_v1>(context_.create(slot, 0, parameters.dump()));
    job.max_rejected_share = options_.max_rejected_share;
    job.seed = context_.seed();
    job.threads = context_.threads();
    job.output = to;
    train::prune(job, hooks_of(to.filename().string()));
  });
}

void TrainingBench::cut(const Shape& shape) {
  Shape done;  // cuts that shapes share are made once
  const auto next = [&](const std::string& slot, const Json& parameters, const Shape& after) {
    cut_once(slot, parameters, cut_folder(done), cut_folder(after));
    done = after;
  };
  if (shape.vocabulary > 0) next("vocabulary", {{"size", shape.vocabulary}}, {0, 0, shape.vocabulary});
  if (shape.depth > 0) next("depth", {{"remove", shape.depth}}, {0, shape.depth, shape.vocabulary});
  if (shape.width > 0) next("width", {{"remove", shape.width}}, shape);
}

train::StorageOptions TrainingBench::storage_options(const Storage& storage) const {
  return {options_.embedding, options_.head, storage.pure, storage.activations == "int8" ? 8 : 0};
}

retort_bound_component TrainingBench::quantizer_of(const Shape& shape, std::int64_t rung, const Storage& storage) {
  const retort_bound_component plain = stages::bound(context_, "quantizers").at(storage.quantizer);
  if (storage.mixed == 0) return plain;
  const Path file = folder_of(shape) /
                    ("sensitivity-" + std::to_string(rung + 1) + "-" + std::to_string(storage.quantizer) + ".json");
  if (!std::filesystem::exists(file)) {
    train::SensitivityJob job;
    job.model = float_model(shape, rung);
    job.dataset = options_.dataset;
    job.quantizer = plain;
    job.max_rejected_share = options_.max_rejected_share;
    job.threads = context_.threads();
    const Json found = train::sensitivity(job, hooks_of(shape.name()));
    std::filesystem::create_directories(file.parent_path());
    host::write_json(file, found);
  }
  const Json overrides = overrides_within(host::read_json(file), storage.mixed);
  return stages::bound<retort_quantizer_v1>(
      context_.create("quantizers", storage.quantizer, Json{{"overrides", overrides}}.dump()));
}

std::optional<std::int64_t> TrainingBench::bytes(const Shape& shape, const Storage& storage) {
  if (storage.mixed > 0) return std::nullopt;
  return train::planned_bytes(cut_folder(shape), stages::bound(context_, "quantizers").at(storage.quantizer),
                              storage_options(storage));
}

train::ModelSize TrainingBench::quantise(const Shape& shape, std::int64_t rung, const Storage& storage,
                                         const Path& output) {
  train::QuantizationJob job;
  job.model = float_model(shape, rung);
  job.dataset = options_.dataset;
  job.quantizer = quantizer_of(shape, rung, storage);
  job.max_rejected_share = options_.max_rejected_share;
  job.storage = storage_options(storage);
  job.seed = context_.seed();
  job.threads = context_.threads();
  job.output = output;
  return train::quantize(job, hooks_of(shape.name() + "/" + storage.label));
}

Figures TrainingBench::stored(const Shape& shape, std::int64_t rung, const Storage& storage, bool answers) {
  const Path folder = options_.work / "candidate";
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  quantise(shape, rung, storage, folder);
  const Answers found = ask(folder, options_, answers, [&](std::int64_t done, std::int64_t total) {
    context_.progress("measuring", done, total, "utterances");
    return !should_stop();
  });
  return {found.bytes, answers ? found.milliseconds : found.forced_milliseconds * overhead_, found.exact_match,
          found.loss};
}

Figures TrainingBench::proxies(const Shape& shape, const Storage& storage) {
  return stored(shape, -1, storage, false);
}

void TrainingBench::recover(const Shape& shape, std::size_t rung) {
  if (!learns(shape)) return;
  const auto number = static_cast<std::int64_t>(rung);
  const Path to = float_model(shape, number), training = to.string() + ".training";
  std::filesystem::create_directories(training);
  train::make_once(to, [&] {
    train::RecoveryJob job;
    job.dataset = options_.dataset;
    job.teacher = options_.teacher;
    job.student = float_model(shape, number - 1);
    job.losses = stages::handles<retort_distill_v1>(context_, "loss");
    job.options = options_.recovery;
    job.options.training.steps = options_.rungs.at(rung);
    job.round = number;
    job.seed = context_.seed() + rung;  // another order of the data
    job.threads = context_.threads();
    job.output = to;
    job.work = training;
    train::recover(job, hooks_of(shape.name() + "/rung " + std::to_string(rung + 1)));
  });
  std::filesystem::remove_all(training);
  // Its mark stays, and with it what a search that was killed knows to be done.
  if (rung > 0) std::filesystem::remove_all(float_model(shape, number - 1));
}

Figures TrainingBench::measure(const Shape& shape, std::size_t rung, const Storage& storage) {
  return stored(shape, static_cast<std::int64_t>(rung), storage, true);
}

train::ModelSize TrainingBench::write(const Candidate& candidate, const Path& output) {
  return quantise(candidate.shape, candidate.rung, candidate.storage, output);
}

}  // namespace retort::search
