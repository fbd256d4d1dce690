// quantize.gptq: parameters, statistics and codes around gptq.h.
#include <retort/plugin.hpp>
#include <retort/quantizer.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "damping_parameters.h"
#include "gptq.h"
#include "row_chunks.h"
#include "site_factor.h"
#include "storage.h"

namespace {

using retort::compression::ColumnOrder;
using retort::compression::HessianFactor;
using retort::quantize::CodedRow;
using retort::quantize::CodeGrid;
using retort::quantize::CodeWriter;

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
    return retort::compression::with_damping(retort::quantize::storage_schema<Params>())
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

  explicit Gptq(const Params& params)
      : params_(params), storage_(params), factor_({params.damping, params.damping_step, order_of(params)}) {
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
    const HessianFactor& factor = factor_.of(site, module.weight.columns(), grid.width(module.weight.columns()));
    std::vector<double> errors(static_cast<std::size_t>(module.weight.rows()));
    const retort::quantize::GptqOptions options{params_.static_groups, params_.zero_dead_columns, 128};
    retort::compression::for_row_chunks(module.weight.rows(), 32, [&](std::int64_t begin, std::int64_t end) {
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
  static ColumnOrder order_of(const Params& params) {
    if (params.order == "activation") return ColumnOrder::activation;
    return params.order == "stored" ? ColumnOrder::stored : ColumnOrder::grouped_activation;
  }

  Params params_;
  retort::quantize::Storage storage_;
  retort::compression::SiteFactor factor_;
};

}  // namespace

RETORT_PLUGIN_LIST("gptq", "1.0.0", "Apache-2.0",
                   retort::component<Gptq>("quantize.gptq", "1.0.0",
                                           "rounds column by column, the rest makes up for the error (GPTQ)"));
