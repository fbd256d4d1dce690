// One pass over a model, layer by layer and site by site, for everything that changes its matrices: smoothing,
// quantising, sparsifying. A layer is loaded, smoothed, compressed and let go; what is held at a time is the
// calibration sequences' activations at one layer's input, and the statistics of one site. A site's statistics are
// those of the model whose earlier sites are compressed already (as GPTQ has it, arXiv 2210.17323, section 4).
// Internal to core/train.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "model/model_folder.h"
#include "train/hooks.h"
#include "train/libtorch.h"
#include "train/linear_sites.h"
#include "train/sequences.h"

namespace retort::train {

/// What the pass does to a site. The views' weights [O,I] are f32; their statistics are there where needs_statistics()
/// said so and calibration was asked for.
class CompressionMethod {
 public:
  CompressionMethod() = default;
  CompressionMethod(const CompressionMethod&) = delete;
  CompressionMethod& operator=(const CompressionMethod&) = delete;
  virtual ~CompressionMethod() = default;

  virtual bool needs_statistics(const LinearSite& site) const = 0;
  /// Asked only of sites whose producer can take up factors. All sites of a layer are smoothed before one of them is
  /// compressed, since a factor changes the site before.
  virtual bool smooths(const LinearSite& /*site*/) const { return false; }
  /// Factors [I], positive: the input is divided by them.
  virtual torch::Tensor smoothing(const LinearSite& site, const host::SiteView& view);
  /// `weights` [O,I], one a module, become what the model computes with from here on.
  virtual void compress(const LinearSite& site, const host::SiteView& view, std::vector<torch::Tensor>& weights) = 0;
  /// The norms and biases, under their Hugging Face names, as they ended.
  virtual void keep(const std::string& name, const torch::Tensor& tensor) = 0;
};

struct CalibrationSet {
  std::vector<Sequence> sequences;  ///< empty: no calibration
  std::int64_t rows = 0;            ///< positions that count, the first of the sequences in order
  std::uint64_t signals = 0;        ///< INPUT_… of retort/abi/signals.h
};

/// Passes sites in the order of linear_sites(). Errors as ModelFolder's and the method's.
void run_compression_pass(const model::ModelFolder& source, const CalibrationSet& calibration,
                          CompressionMethod& method, const RunHooks& hooks);

/// Divides the input of `site` by `factors` [I] and multiplies its modules' columns, so that the decoder computes what
/// it did before: the factors go into the norm before the site, v's rows (a head group at a time) or up's rows.
/// `weight` finds a tensor of the site's layer, or of the model's end, by its Hugging Face name.
void fold_smoothing(const LinearSite& site, const torch::Tensor& factors,
                    const std::function<torch::Tensor*(const std::string& name)>& weight);

}  // namespace retort::train
