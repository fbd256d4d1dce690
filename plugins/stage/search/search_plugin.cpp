// stage.search: the best model within limits of bytes, milliseconds and exact match, over cuts and ways to store.
#include <algorithm>
#include <set>
#include <utility>

#include "../common/compression_stage.h"
#include "task/dataset.h"
#include "train/distillation.h"
#include "train/pruning.h"
#include "train/quantization.h"
#include "training_bench.h"

namespace {

using retort::StageContext;
using retort::search::Candidate;
using retort::search::Figures;
using retort::search::SearchResult;
using retort::search::Shape;
using retort::search::Storage;
using Json = nlohmann::json;

/// A way of storing, tried with every quantizer.
struct StorageForm {
  bool pure = false;
  std::string activations = "float";
  double mixed = 0;
};

auto storage_parameters() {
  return retort::params<StorageForm>()
      .boolean("pure", &StorageForm::pure)
      .doc("with 4 bits, the embedding and the head in 4 bits too")
      .string("activations", &StorageForm::activations)
      .one_of({"float", "int8"})
      .doc("what int8 weights are multiplied by, as in stage.quantize")
      .number("mixed", &StorageForm::mixed)
      .at_least(0)
      .below(1)
      .doc(
          "with 4 bits, some layers get 8: those that lose most a byte (stage.sensitivity), until the layers' bytes "
          "have "
          "grown by this share of what 8 bits everywhere would add. In place of the quantizer's own overrides");
}

struct LimitParameters {
  std::int64_t bytes = 0;
  double milliseconds = 0;
  double exact_match = 0.98;
};

auto limit_parameters() {
  return retort::params<LimitParameters>()
      .integer("bytes", &LimitParameters::bytes)
      .at_least(0)
      .unit("byte")
      .doc("of the weights as stored; 0 = no limit")
      .number("milliseconds", &LimitParameters::milliseconds)
      .at_least(0)
      .unit("millisecond")
      .doc("median of one call on this machine, with `inference_threads`; 0 = no limit")
      .number("exact_match", &LimitParameters::exact_match)
      .at_least(0)
      .doc("share of the teacher's exact match on the same rows that is to be kept");
}

class SearchStage : public retort::Stage {
 public:
  struct Params {
    LimitParameters limits;
    std::string prefer = "bytes";
    std::vector<double> widths{0.0, 0.2, 0.4};
    std::vector<std::int64_t> depths{0};
    std::vector<std::int64_t> vocabularies{0};
    std::vector<StorageForm> storage;
    bool embedding = true;
    bool head = true;
    std::vector<std::int64_t> rungs{100, 300};
    double survivors = 0.5;
    retort::train::RecoveryOptions recovery;
    std::string split = "validation";
    std::int64_t limit = 0;
    std::int64_t inference_threads = 1;
    double max_rejected_share = 0.01;
  };
  static auto schema() {
    return retort::params<Params>()
        .object("limits", &Params::limits, limit_parameters())
        .string("prefer", &Params::prefer)
        .one_of({"bytes", "milliseconds", "exact_match"})
        .doc("which of the models within the limits is the best: the smallest, the fastest, or the most exact")
        .numbers("widths", &Params::widths)
        .doc("shares of the parameters that the pruner in \"width\" removes (its parameter remove); 0 = not cut")
        .integers("depths", &Params::depths)
        .doc("layers that the pruner in \"depth\" removes (remove); 0 = not cut")
        .integers("vocabularies", &Params::vocabularies)
        .doc("tokens that the pruner in \"vocabulary\" leaves (size); 0 = not cut")
        .objects("storage", &Params::storage, storage_parameters())
        .doc("ways of storing, each tried with every quantizer; none = as stage.quantize does by default")
        .boolean("embedding", &Params::embedding)
        .doc("quantise the embedding, and the head that is tied to it")
        .boolean("head", &Params::head)
        .doc("quantise a separate head")
        .integers("rungs", &Params::rungs)
        .doc("optimiser steps of recovery at each rung; what survives a rung goes on learning at the next")
        .number("survivors", &Params::survivors)
        .above(0)
        .at_most(1)
        .doc("share of the shapes that a rung leaves")
        .object("recovery", &Params::recovery, retort::stages::recovery_parameters())
        .string("split", &Params::split)
        .one_of({"train", "validation", "test"})
        .doc("what candidates answer; measure the result on another one")
        .integer("limit", &Params::limit)
        .at_least(0)
        .unit("utterance")
        .doc("of the split, its first labelled ones; 0 = all")
        .integer("inference_threads", &Params::inference_threads)
        .at_least(1)
        .doc("of the runtime, whose milliseconds depend on them")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("of the rows that may be unusable: they are left out and said");
  }
  explicit SearchStage(Params params) : params_(std::move(params)) {
    if (params_.rungs.empty() || *std::min_element(params_.rungs.begin(), params_.rungs.end()) < 1)
      throw std::invalid_argument("rungs: expected at least one number of steps, each at least 1");
    for (const double width : params_.widths)
      if (!(width >= 0 && width < 1)) throw std::invalid_argument("widths: expected shares from 0 to below 1");
    for (const auto* list : {&params_.depths, &params_.vocabularies})
      for (const std::int64_t size : *list)
        if (size < 0) throw std::invalid_argument("depths, vocabularies: expected numbers of at least 0");
  }

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("model")
            .input("model", "model", "the float model that is cut")
            .input("dataset", "dataset", "calibrates, is learnt from, and is answered")
            .input("teacher", "model",
                   "whose exact match is the measure, and whom candidates learn from; without it "
                   "the model itself",
                   RETORT_INPUT_OPTIONAL)
            .slot("quantizers", RETORT_QUANTIZER_INTERFACE, "make codes: each is tried, with its bits and groups",
                  RETORT_SLOT_LIST)
            .slot("loss", RETORT_DISTILL_INTERFACE, "of recovery")
            .slot("width", RETORT_PRUNER_INTERFACE, "makes narrower", RETORT_SLOT_OPTIONAL)
            .slot("depth", RETORT_PRUNER_INTERFACE, "takes layers out", RETORT_SLOT_OPTIONAL)
            .slot("vocabulary", RETORT_PRUNER_INTERFACE, "takes tokens out", RETORT_SLOT_OPTIONAL);
    return shape;
  }

  std::vector<std::string> check(const StageContext& context) override {
    std::vector<std::string> findings =
        retort::train::distillation_findings(retort::stages::handle<retort_distill_v1>(context.slot("loss").value()));
    retort::stages::check_device(findings, params_.recovery.training, "recovery.training.device");
    retort::stages::check_no_packing(findings, params_.recovery.training, "recovery.training.packing");
    const auto ask = [&](const char* slot, bool (*requires_data)(const retort_bound_component&)) {
      try {
        for (const retort_bound_component& component : retort::stages::bound(context, slot)) requires_data(component);
      } catch (const std::exception& error) {
        findings.push_back(std::string(slot) + ": " + error.what());
      }
    };
    ask("quantizers", retort::train::check_quantizer);
    for (const char* slot : {"width", "depth", "vocabulary"}) ask(slot, retort::train::check_pruner);
    const auto expect_pruner = [&](const char* slot, const char* parameter, bool cuts) {
      if (cuts && !context.slot(slot))
        findings.push_back(std::string(parameter) + ": expected a pruner in \"" + slot + "\" to cut with, found none");
    };
    const auto any = [](const auto& list) {
      return std::any_of(list.begin(), list.end(), [](auto size) { return size != 0; });
    };
    expect_pruner("width", "widths", any(params_.widths));
    expect_pruner("depth", "depths", any(params_.depths));
    expect_pruner("vocabulary", "vocabularies", any(params_.vocabularies));
    return findings;
  }

  void run(const StageContext& context) override {
    retort::search::TrainingBench bench(context, bench_options(context));
    const Figures teacher = bench.teacher();
    retort::search::SearchOptions options;
    options.shapes = shapes();
    options.storages = storages(context);
    options.rungs = params_.rungs.size();
    options.survivors = params_.survivors;
    options.limits = {params_.limits.bytes, params_.limits.milliseconds,
                      params_.limits.exact_match * teacher.exact_match};
    options.preference = preference();
    options.journal = std::filesystem::path(context.work_folder()) / "measured.json";
    options.log = [](const std::string& line) { retort::log_info(line); };
    retort::log_info(std::to_string(options.shapes.size()) + " shapes, each stored in " +
                     std::to_string(options.storages.size()) + " ways; the teacher's exact match is " +
                     Json(teacher.exact_match).dump());
    const SearchResult found = retort::search::search(options, bench);
    const Candidate& best = found.candidates[found.best];
    retort::stages::record_size(context, bench.write(best, context.output_folder()));
    record(context, found, teacher, options.limits);
    retort::log_info((found.found ? "the best that fits: " : "nothing fits; the nearest: ") + best.name());
    if (!found.found) context.fact("verdict", Json("failed: " + found.failure).dump());
  }

 private:
  retort::search::BenchOptions bench_options(const StageContext& context) const {
    retort::search::BenchOptions options;
    options.dataset = context.input_folder("dataset");
    options.model = context.input_folder("model");
    options.teacher = context.input_folder(context.has_input("teacher") ? "teacher" : "model");
    options.work = context.work_folder();
    options.rungs = params_.rungs;
    options.recovery = params_.recovery;
    options.embedding = params_.embedding;
    options.head = params_.head;
    options.max_rejected_share = params_.max_rejected_share;
    options.inference_threads = params_.inference_threads;
    const std::filesystem::path file = options.dataset / (params_.split + ".jsonl");
    for (const auto& example : retort::task::read_split(file, params_.max_rejected_share).examples) {
      if (params_.limit > 0 && static_cast<std::int64_t>(options.rows.size()) == params_.limit) break;
      if (example.calls) options.rows.push_back({example.utterance(), *example.calls, example, {}});
    }
    if (options.rows.empty())
      throw std::invalid_argument(file.string() + ": expected labelled utterances to measure on, found none");
    return options;
  }

  std::vector<Shape> shapes() const {
    std::vector<Shape> all;
    for (const std::int64_t vocabulary : params_.vocabularies)
      for (const std::int64_t depth : params_.depths)
        for (const double width : params_.widths) {
          const Shape shape{width, depth, vocabulary};
          if (std::find(all.begin(), all.end(), shape) == all.end()) all.push_back(shape);
        }
    return all;
  }

  /// Every quantizer in every form that makes a difference to it.
  std::vector<Storage> storages(const StageContext& context) const {
    const std::vector<retort_bound_component> quantizers = retort::stages::bound(context, "quantizers");
    std::vector<StorageForm> forms = params_.storage;
    if (forms.empty()) forms.emplace_back();
    std::vector<Storage> all;
    std::set<std::string> labels;
    for (std::size_t i = 0; i < quantizers.size(); ++i) {
      const retort_quantize_scheme scheme = retort::train::layer_scheme(quantizers[i]);
      std::set<std::string> tried;
      for (StorageForm form : forms) {
        if (scheme.bits != 4) form.pure = false, form.mixed = 0;
        std::string label = std::string(retort::to_view(quantizers[i].id));
        label = label.substr(label.find('.') + 1) + "-int" + std::to_string(scheme.bits);
        if (scheme.group_size > 0) label += "-g" + std::to_string(scheme.group_size);
        if (form.pure) label += "-pure";
        if (form.mixed > 0) label += "-mixed" + Json(form.mixed).dump();
        if (form.activations == "int8") label += "-a8";
        if (!tried.insert(label).second) continue;
        if (!labels.insert(label).second) label += "-" + std::to_string(i + 1);
        all.push_back({i, label, form.pure, form.activations, form.mixed});
      }
    }
    return all;
  }

  retort::search::Preference preference() const {
    if (params_.prefer == "milliseconds") return retort::search::Preference::milliseconds;
    return params_.prefer == "exact_match" ? retort::search::Preference::exact_match
                                           : retort::search::Preference::bytes;
  }

  /// The fact "search", which the report draws: measured times are no part of the artifact's files.
  static void record(const StageContext& context, const SearchResult& found, const Figures& teacher,
                     const retort::search::Limits& limits) {
    Json candidates = Json::array();
    for (const Candidate& one : found.candidates) {
      Json entry = retort::search::to_json(one.figures);
      entry.update({{"name", one.name()},
                    {"width", one.shape.width},
                    {"depth", one.shape.depth},
                    {"vocabulary", one.shape.vocabulary},
                    {"storage", one.storage.label},
                    {"rung", one.rung + 1},
                    {"front", one.front},
                    {"fits", one.rung >= 0 && fits(one.figures, limits)}});
      if (!one.dropped.empty()) entry["dropped"] = one.dropped;
      if (one.rung < 0) entry.erase("exact_match");
      candidates.push_back(std::move(entry));
    }
    const Json search = {
        {"teacher", retort::search::to_json(teacher)},
        {"limits",
         {{"bytes", limits.bytes}, {"milliseconds", limits.milliseconds}, {"exact_match", limits.exact_match}}},
        {"best", found.candidates[found.best].name()},
        {"found", found.found},
        {"failure", found.failure},
        {"candidates", std::move(candidates)}};
    context.fact("search", search.dump());
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("stage.search", "1.0.0", "Apache-2.0",
                   retort::component<SearchStage>("stage.search", "1.0.0",
                                                  "finds the best model within limits of bytes, milliseconds and exact "
                                                  "match: cuts, recovers, quantises, measures"));
