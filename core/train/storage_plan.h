// How each matrix of a model is stored, from what a quantizer answers for its site and what the model format holds.
// Decided before any work. No LibTorch.
#pragma once

#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "host/algorithm/quantizer_call.h"
#include "model/model_config.h"
#include "train/linear_sites.h"

namespace retort::train {

/// Which matrices beside the layers' are quantised, and how (stage.quantize's parameters).
struct StorageOptions {
  bool embedding = true;    ///< the embedding, with the head that it is tied to
  bool head = true;         ///< a separate head
  bool pure = false;        ///< both of them in the quantizer's 4 bits too, not int8 per channel
  int activation_bits = 0;  ///< what modules of 8 bits are multiplied by where the model runs: 0 float, 8 int8 codes
};

struct ModuleStorage {
  enum class Kind {
    floating_point,
    int8_rows,  ///< rounded to int8 per channel by the host: where the quantizer's groups do not fit
    quantizer,
  };
  Kind kind = Kind::floating_point;
  retort_quantize_scheme scheme{};  ///< of the quantizer
};

/// Asks for the schemes of a layer's sites as large models have them. Throws std::invalid_argument where no model
/// folder can hold it: what is known before any model is there.
void check_storable(const host::QuantizerCall& quantizer);

/// Bytes of a matrix [rows, columns] as model/model_folder.h stores it: codes, scales, packed zero points and shapes.
/// Groups' scales count as bf16, which they are where the quantizer rounds them to it.
std::int64_t stored_bytes(std::int64_t rows, std::int64_t columns, const ModuleStorage& storage);

/// The scheme of a large model's first layer: what the quantizer does where nothing keeps it from it.
retort_quantize_scheme scheme_of_layers(const host::QuantizerCall& quantizer);

class StoragePlan {
 public:
  /// Asks the quantizer for every site that is to be quantised. An embedding of its own has no input to calibrate on:
  /// a quantizer that wants statistics leaves it to the host. Throws std::invalid_argument, naming quantizer and site,
  /// for a scheme that the format does not hold, and where its groups divide no layer at all.
  StoragePlan(const model::ModelConfig& config, const std::vector<LinearSite>& sites,
              const host::QuantizerCall& quantizer, const StorageOptions& options);

  const ModuleStorage& of(const std::string& module) const { return storage_.at(module); }
  /// Whether the quantizer does any module of the site.
  bool quantizes(const LinearSite& site) const;
  /// A sentence for every module that the host rounds though the quantizer was to do it: its columns are no multiple of
  /// the groups, or there is nothing to calibrate on.
  const std::vector<std::string>& notes() const { return notes_; }
  /// Leaves every other layer in floating point.
  void leave_all_but(std::int64_t layer);
  /// Of all weights of the model that the plan was made for.
  std::int64_t bytes(const model::ModelConfig& config) const;
  /// config.json's quantization_config.
  nlohmann::json description() const;

 private:
  void add(const LinearSite& site, const retort_quantize_scheme& scheme);
  bool is_wanted(const LinearSite& site) const;

  StorageOptions options_;
  bool tied_, calibrated_;
  std::map<std::string, ModuleStorage> storage_;
  std::vector<std::string> layer_modules_;  ///< in the order of the sites
  std::vector<std::string> notes_;
};

}  // namespace retort::train
