// quantize.gptq: parameters, statistics and codes around gptq.h.
#include <functional>
#include <optional>
#include <retort/plugin.hpp>
#include <retort/quantizer.hpp>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "gptq.h"
#include "row_chunks.h"
#include "storage.h"

namespace {

using retort::quantize::CodedRow;
using retort::quantize::CodeGrid;
using retort::quantize::CodeWriter;
using retort::quantize::ColumnOrder;
using retort::quantize::HessianFactor;
using retort::quantize::HessianView;

/// Tells sites apart, so that the modules of one share a factor.
std::string fingerprint(const retort::Site& site, std::int64_t group) {
  std::size_t hash = 0;
  for (std::int64_t i = 0; i < site.statistics.hessian.rows(); ++i) {
    const auto* bytes = reinterpret_cast<const char*>(site.statistics.hessian.row(i));
    const std::string_view row(bytes, static_cast<std::size_t>(site.statistics.hessian.columns()) * sizeof(float));
    hash = hash * 1099511628211U + std::hash<std::string_view>()(row);
  }
  return std::string(site.name) + "/" + std::to_string(group) + "/" + std::to_string(hash);
}

class Gptq : public retort::Quantizer {
 public:
  struct Params : retort::quantize::StorageParameters {
    double damping = .01, damping_step = .01;
    std::string order = "grouped_activation";
    bool static_groups = true, zero_dead_columns = false;
    std::int64_t samples = 8192;
    Params() { bits = 4, group_size = 64; }
  };
  static auto schema() {
    return retort::quantize::storage_schema<Params>()
        .number("damping", &Params::damping)
        .at_least(0)
        .at_most(1)
        .doc("share of the Hessian's mean diagonal that is added to its diagonal")
        .number("damping_step", &Params::damping_step)
        .above(0)
        .at_most(1)
        .doc("added to the damping, as often as needed, where the Hessian has no Cholesky factor; it is reported")
        .string("order", &Params::order)
        .one_of({"stored", "activation", "grouped_activation"})
        .doc(
            "order in which columns are rounded: as they lie; by falling diagonal of the Hessian; or so within groups, "
            "and groups by their largest. None needs a g_idx in the file")
        .boolean("static_groups", &Params::static_groups)
        .doc(
            "scales come from the untouched weights; false: from the weights as they are when their group is reached, "
            "which the order activation does not allow")
        .boolean("zero_dead_columns", &Params::zero_dead_columns)
        .doc("weights of inputs that calibration never saw become 0; false: they are rounded")
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("token")
        .doc("calibration rows of the Hessian; several times the columns of the widest site are of use");
  }

  explicit Gptq(const Params& params) : params_(params), storage_(params) {
    if (!params.static_groups && params.order == "activation")
      throw std::invalid_argument(
          "static_groups: expected true with order activation, where the columns of a group do "
          "not follow each other; use order grouped_activation");
  }

  retort::QuantizeRequirements requirements() const override { return {RETORT_SIGNAL_INPUT_HESSIAN, params_.samples}; }

  retort::QuantizeScheme scheme(const retort::Site& site) override { return storage_.scheme(site); }

  retort::Metrics quantize(const retort::Site& site, std::size_t index, const retort::QuantizeScheme& scheme,
                           const retort::QuantizeOutput& output) override {
    const CodeGrid grid = storage_.grid(scheme);
    const retort::SiteModule& module = site.modules.at(index);
    if (retort::quantize::reads_single_rows(site)) {  // GPTQ with a diagonal Hessian is rounding
      retort::log_info(std::string(site.name) + ": no input to calibrate with; rounded to nearest");
      return retort::quantize::round_module(module, grid, output);
    }
    CodeWriter writer(module, grid, output);
    const HessianFactor& factor = factor_of(site, module, grid.width(module.weight.columns()));
    std::vector<double> errors(static_cast<std::size_t>(module.weight.rows()));
    const retort::quantize::GptqOptions options{params_.static_groups, params_.zero_dead_columns, 128};
    retort::quantize::for_row_chunks(module.weight.rows(), 32, [&](std::int64_t begin, std::int64_t end) {
      retort::throw_if_stopped();
      std::vector<std::span<const float>> rows;
      for (std::int64_t o = begin; o < end; ++o) rows.push_back(writer.weights(o));
      std::vector<CodedRow> coded(rows.size(), CodedRow(module.weight.columns(), grid));
      const auto part = std::span(errors).subspan(static_cast<std::size_t>(begin), rows.size());
      retort::quantize::gptq_rows(factor, grid, options, rows, coded, part);
      for (std::int64_t o = begin; o < end; ++o) writer.write(o, coded[static_cast<std::size_t>(o - begin)]);
    });
    double error = 0;
    for (const double row : errors) error += row / static_cast<double>(errors.size());
    retort::Metrics metrics = writer.metrics();
    metrics.emplace_back("hessian_error", error);
    metrics.emplace_back("damping", factor.damping());
    metrics.emplace_back("damping_raises", static_cast<double>(factor.raises()));
    return metrics;
  }

 private:
  const HessianFactor& factor_of(const retort::Site& site, const retort::SiteModule& module, std::int64_t group) {
    const std::int64_t columns = module.weight.columns();
    try {
      retort::expect_shape(site.statistics.hessian, "hessian", columns, columns);
      std::string key = fingerprint(site, group);
      if (factor_ && key == key_) return *factor_;
      factor_.reset();
      const retort::TensorView<const float>& hessian = site.statistics.hessian;
      const HessianView view{hessian.row(0), columns, columns > 1 ? hessian.row(1) - hessian.row(0) : 1};
      factor_.emplace(view, group, retort::quantize::FactorOptions{params_.damping, params_.damping_step, order()},
                      [] { retort::throw_if_stopped(); });
      key_ = std::move(key);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string(site.name) + ": " + error.what());
    }
    if (factor_->raises() > 0)
      retort::log_warning(std::string(site.name) + ": the Hessian has no Cholesky factor with a damping of " +
                          std::to_string(params_.damping) + "; raised to " + std::to_string(factor_->damping()));
    return *factor_;
  }

  ColumnOrder order() const {
    if (params_.order == "activation") return ColumnOrder::activation;
    return params_.order == "stored" ? ColumnOrder::stored : ColumnOrder::grouped_activation;
  }

  Params params_;
  retort::quantize::Storage storage_;
  std::optional<HessianFactor> factor_;
  std::string key_;
};

}  // namespace

RETORT_PLUGIN_LIST("gptq", "1.0.0", "Apache-2.0",
                   retort::component<Gptq>("quantize.gptq", "1.0.0",
                                           "rounds column by column, the rest makes up for the error (GPTQ)"));
