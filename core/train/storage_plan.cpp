#include "train/storage_plan.h"

#include <algorithm>
#include <stdexcept>
#include <string_view>

#include "model/model_folder.h"
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

/// A model of one layer whose sizes are multiples of every group.
model::ModelConfig large_layer() {
  model::ModelConfig config;
  config.vocabulary_size = config.hidden_size = config.intermediate_size = 4096;
  config.layers = 1;
  config.heads = config.kv_heads = 32;
  config.head_dim = 128;
  return config;
}

model::WeightScheme weight_scheme(const ModuleStorage& storage) {
  if (storage.kind == Kind::int8_rows) return {8, 0, true};
  return {storage.scheme.bits, storage.scheme.group_size, storage.scheme.symmetric == 1};
}

}  // namespace

std::int64_t stored_bytes(std::int64_t rows, std::int64_t columns, const ModuleStorage& storage) {
  constexpr std::int64_t scale_of_row = 4, scale_of_group = 2, word = 4, codes_a_word = 8, shape = 16;
  if (storage.kind == Kind::floating_point) return rows * columns * static_cast<std::int64_t>(sizeof(float));
  if (storage.kind == Kind::int8_rows || storage.scheme.bits == 8) return rows * (columns + scale_of_row);
  const auto words = [](std::int64_t codes) { return (codes + codes_a_word - 1) / codes_a_word * word; };
  const std::int64_t groups = columns / host::group_width(storage.scheme, columns);
  const std::int64_t zeros = storage.scheme.symmetric != 0 ? 0 : words(rows) * groups;
  return rows * (words(columns) + groups * scale_of_group) + zeros + shape;
}

void check_storable(const host::QuantizerCall& quantizer) {
  for (const LinearSite& site : linear_sites(large_layer()))
    if (is_layer(site)) check_format(quantizer, site.view.name, quantizer.scheme(site.view));
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

retort_quantize_scheme scheme_of_layers(const host::QuantizerCall& quantizer) {
  for (const LinearSite& site : linear_sites(large_layer()))
    if (is_layer(site)) return quantizer.scheme(site.view);
  return {};
}

void StoragePlan::leave_all_but(std::int64_t layer) {
  const std::string prefix = "model.layers." + std::to_string(layer) + ".";
  for (const std::string& module : layer_modules_)
    if (!module.starts_with(prefix)) storage_[module] = {};
}

std::int64_t StoragePlan::bytes(const model::ModelConfig& config) const {
  constexpr std::string_view suffix = ".weight";
  const ModuleStorage& embedding = storage_.at("model.embed_tokens");
  const bool own_scale = tied_ && embedding.kind != Kind::floating_point &&
                         (embedding.kind == Kind::int8_rows || embedding.scheme.bits == 8);
  // model::save_model() gives a tied head of 8 bits a scale of its own.
  std::int64_t total = own_scale ? config.vocabulary_size * static_cast<std::int64_t>(sizeof(float)) : 0;
  for (const auto& [name, shape] : model::tensor_shapes(config)) {
    std::int64_t elements = 1;
    for (const std::int64_t size : shape) elements *= size;
    const auto found = storage_.find(name.substr(0, name.size() - std::min(name.size(), suffix.size())));
    total += found != storage_.end() && shape.size() == 2 ? stored_bytes(shape[0], shape[1], found->second)
                                                          : elements * static_cast<std::int64_t>(sizeof(float));
  }
  return total;
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
