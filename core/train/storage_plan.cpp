#include "train/storage_plan.h"

#include <algorithm>
#include <stdexcept>

#include "model/quantization_config.h"

namespace retort::train {
namespace {

using Kind = ModuleStorage::Kind;

bool is_layer(const LinearSite& site) {
  return site.layer >= 0;
}

bool holds(const retort_quantize_scheme& scheme) {
  if (scheme.bits == 8) return scheme.symmetric == 1 && scheme.group_size == 0;
  return scheme.bits == 4 && (scheme.group_size == 32 || scheme.group_size == 64 || scheme.group_size == 128);
}

void check_format(const host::QuantizerCall& quantizer, const std::string& site, const retort_quantize_scheme& scheme) {
  if (scheme.bits == 0 || holds(scheme)) return;
  throw std::invalid_argument(quantizer.id() + " asks for " + host::name_of(scheme) + " for " + site +
                              "; the model format holds symmetric 8 bits per channel (group_size 0) and 4 bits, "
                              "symmetric or not, in groups of 32, 64 or 128");
}

model::WeightScheme weight_scheme(const ModuleStorage& storage) {
  if (storage.kind == Kind::int8_rows) return {8, 0, true};
  return {storage.scheme.bits, storage.scheme.group_size, storage.scheme.symmetric == 1};
}

}  // namespace

void check_storable(const host::QuantizerCall& quantizer) {
  constexpr std::int64_t width = 4096;  // a multiple of every group
  host::SiteView site;
  site.name = "model.layers.0.self_attn.qkv";
  site.columns = width;
  for (const char* module : {"q_proj", "k_proj", "v_proj"})
    site.modules.push_back({std::string("model.layers.0.self_attn.") + module, width, width});
  check_format(quantizer, site.name, quantizer.scheme(site));
}

StoragePlan::StoragePlan(const model::ModelConfig& config, const std::vector<LinearSite>& sites,
                         const host::QuantizerCall& quantizer, const StorageOptions& options)
    : options_(options), tied_(config.tie_word_embeddings), calibrated_(quantizer.requirements().signals != 0) {
  bool wants_groups = false, fits = false;
  std::int64_t group_size = 0;
  for (const LinearSite& site : sites) {
    retort_quantize_scheme scheme{};
    if (is_wanted(site)) {
      scheme = quantizer.scheme(site.view);
      check_format(quantizer, site.view.name, scheme);
    }
    add(site, scheme);
    if (!is_layer(site) || scheme.group_size == 0 || scheme.bits == 0) continue;
    wants_groups = true;
    group_size = scheme.group_size;
    fits = fits || site.view.columns % scheme.group_size == 0;
  }
  if (wants_groups && !fits)
    throw std::invalid_argument("no layer's input columns are a multiple of group_size " + std::to_string(group_size) +
                                " (hidden_size " + std::to_string(config.hidden_size) + ", intermediate_size " +
                                std::to_string(config.intermediate_size) + "); use a smaller group_size or bits 8");
}

bool StoragePlan::is_wanted(const LinearSite& site) const {
  if (is_layer(site)) return true;
  return site.place == SitePlace::head && !tied_ ? options_.head : options_.embedding;
}

void StoragePlan::add(const LinearSite& site, const retort_quantize_scheme& scheme) {
  const bool in_groups = is_layer(site) || options_.pure;
  const bool odd = scheme.group_size > 0 && site.view.columns % scheme.group_size != 0;
  for (const std::string& module : site.modules) {
    ModuleStorage storage{Kind::quantizer, scheme};
    if (scheme.bits == 0) storage.kind = Kind::floating_point;
    const bool blind = calibrated_ && site.place == SitePlace::embedding;
    if (scheme.bits != 0 && (blind || (scheme.group_size > 0 && (odd || !in_groups)))) storage.kind = Kind::int8_rows;
    if (scheme.bits != 0 && odd && in_groups)
      notes_.push_back(module + ": its input columns are no multiple of group_size " +
                       std::to_string(scheme.group_size) + ", so it becomes int8 per channel");
    else if (scheme.bits != 0 && blind && in_groups)
      notes_.push_back(module + ": a look-up has no input to calibrate on, so it becomes int8 per channel");
    if (is_layer(site)) layer_modules_.push_back(module);
    storage_[module] = storage;
  }
}

bool StoragePlan::quantizes(const LinearSite& site) const {
  return std::any_of(site.modules.begin(), site.modules.end(),
                     [&](const std::string& module) { return of(module).kind == Kind::quantizer; });
}

nlohmann::json StoragePlan::description() const {
  std::vector<model::QuantizedModules> groups;
  std::vector<std::string> ignored;
  const auto activations = [&](const model::WeightScheme& scheme) {
    return scheme.bits == 8 ? options_.activation_bits : 0;
  };
  // The first scheme of a layer stands for the class, every other one for the modules that it names. What the host
  // rounded to int8 follows, so that a reader that looks at the first group sees what the quantizer did.
  const auto place = [&](const std::string& module, const ModuleStorage& storage) {
    const model::WeightScheme scheme = weight_scheme(storage);
    for (model::QuantizedModules& group : groups) {
      if (group.scheme != scheme) continue;
      if (group.targets.front() != "Linear") group.targets.push_back(module);
      return;
    }
    groups.push_back({{module}, scheme, activations(scheme)});
  };
  for (const Kind kind : {Kind::quantizer, Kind::int8_rows})
    for (const std::string& module : layer_modules_) {
      const ModuleStorage& storage = of(module);
      if (storage.kind != kind) continue;
      if (groups.empty())
        groups.push_back({{"Linear"}, weight_scheme(storage), activations(weight_scheme(storage))});
      else
        place(module, storage);
    }
  const ModuleStorage& embedding = of("model.embed_tokens");
  const ModuleStorage& head = tied_ ? embedding : of("lm_head");
  if (head.kind != Kind::floating_point) place("lm_head", head);
  if (embedding.kind != Kind::floating_point)
    groups.push_back({{"Embedding"}, weight_scheme(embedding), 0});
  else
    ignored.emplace_back("model.embed_tokens");
  if (head.kind == Kind::floating_point) ignored.emplace_back("lm_head");
  for (const std::string& module : layer_modules_)
    if (of(module).kind == Kind::floating_point) ignored.push_back(module);
  return model::quantization_config(groups, ignored);
}

}  // namespace retort::train
