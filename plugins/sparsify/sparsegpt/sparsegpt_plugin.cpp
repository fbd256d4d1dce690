// sparsify.sparsegpt: parameters, statistics, masks and weights around sparsegpt.h.
#include <numeric>
#include <retort/plugin.hpp>
#include <retort/sparsifier.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "damping_parameters.h"
#include "finite_weights.h"
#include "pattern_parameters.h"
#include "site_factor.h"
#include "sparsegpt.h"

namespace {

using retort::compression::ColumnOrder;

class SparseGpt : public retort::Sparsifier {
 public:
  struct Params {
    double fraction = .5;
    std::string pattern;
    std::int64_t block = 128, samples = 8192;
    double damping = .01, damping_step = .01;
  };
  static auto schema() {
    return retort::compression::with_damping(
               retort::sparsify::pattern_schema<Params>(
                   "share of the weights of every block of columns that become 0, rounded down to whole weights; not "
                   "read with a pattern"))
        .integer("block", &Params::block)
        .at_least(1)
        .unit("column")
        .doc("columns whose weights compete for the fraction, over all rows; with a pattern it changes the speed alone")
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("token")
        .doc("calibration rows of the Hessian; several times the columns of the widest site are of use");
  }

  explicit SparseGpt(const Params& params)
      : params_(params),
        pattern_(retort::sparsify::parse_pattern(params.pattern, params.fraction)),
        factor_({params.damping, params.damping_step, ColumnOrder::stored}) {}

  retort::SparsifyRequirements requirements() const override { return {RETORT_SIGNAL_INPUT_HESSIAN, params_.samples}; }

  retort::Metrics sparsify(const retort::Site& site, std::size_t index, const retort::SparsifyOutput& output) override {
    const retort::SiteModule& module = site.modules.at(index);
    try {
      return sparse(site, module, output);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string(module.name) + ": " + error.what());
    }
  }

 private:
  retort::Metrics sparse(const retort::Site& site, const retort::SiteModule& module,
                         const retort::SparsifyOutput& output) {
    const std::int64_t rows = module.weight.rows(), columns = module.weight.columns();
    if (rows == 0 || columns == 0) throw std::invalid_argument("weight: missing or empty");
    retort::expect_shape(output.mask, "mask", rows, columns);
    retort::expect_shape(output.weight, "weight", rows, columns);
    retort::compression::expect_finite(module.weight);
    const auto size = static_cast<std::size_t>(columns);
    std::vector<std::span<const float>> before;
    std::vector<retort::sparsify::SparseRow> after;
    for (std::int64_t o = 0; o < rows; ++o) {
      before.emplace_back(module.weight.row(o), size);
      after.push_back({{output.weight.row(o), size}, {output.mask.row(o), size}});
    }
    const retort::compression::HessianFactor& factor = factor_.of(site, columns, columns);
    const std::vector<double> errors = retort::sparsify::sparsegpt(factor, {pattern_, params_.block}, before, after,
                                                                   [] { retort::throw_if_stopped(); });
    double zeros = 0;
    for (std::int64_t o = 0; o < rows; ++o)
      for (std::int64_t j = 0; j < columns; ++j) zeros += output.mask(o, j) == 0 ? 1 : 0;
    return {{"removed", zeros / (static_cast<double>(rows) * static_cast<double>(columns))},
            {"hessian_error", std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(rows)},
            {"damping", factor.damping()},
            {"damping_raises", static_cast<double>(factor.raises())}};
  }

  Params params_;
  retort::sparsify::Pattern pattern_;
  retort::compression::SiteFactor factor_;
};

}  // namespace

RETORT_PLUGIN_LIST(
    "sparsegpt", "1.0.0", "Apache-2.0",
    retort::component<SparseGpt>("sparsify.sparsegpt", "1.0.0",
                                 "sets weights to zero column by column, the rest makes up for them (SparseGPT)"));
