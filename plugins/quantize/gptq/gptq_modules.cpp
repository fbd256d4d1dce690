// See gptq_modules.h.
#include "gptq_modules.h"

#include <stdexcept>
#include <vector>

#include "gptq.h"
#include "row_chunks.h"
#include "storage.h"

namespace retort::quantize {

namespace {

compression::ColumnOrder order_of(const GptqParameters& parameters) {
  if (parameters.order == "activation") return compression::ColumnOrder::activation;
  return parameters.order == "stored" ? compression::ColumnOrder::stored : compression::ColumnOrder::grouped_activation;
}

}  // namespace

GptqModules::GptqModules(const GptqParameters& parameters)
    : parameters_(parameters), factor_({parameters.damping, parameters.damping_step, order_of(parameters)}) {
  if (!parameters.static_groups && parameters.order == "activation")
    throw std::invalid_argument(
        "static_groups: expected true with order activation, where the columns of a group do "
        "not follow each other; use order grouped_activation");
}

Metrics GptqModules::quantize(const Site& site, std::size_t index, const CodeGrid& grid, const QuantizeOutput& output) {
  const SiteModule& module = site.modules.at(index);
  if (reads_single_rows(site)) {  // GPTQ with a diagonal Hessian is rounding
    log_info(std::string(site.name) + ": no input to calibrate with; rounded to nearest");
    return round_module(module, grid, output);
  }
  CodeWriter writer(module, grid, output);
  const compression::HessianFactor& factor =
      factor_.of(site, module.weight.columns(), grid.width(module.weight.columns()));
  std::vector<double> errors(static_cast<std::size_t>(module.weight.rows()));
  const GptqOptions options{parameters_.static_groups, parameters_.zero_dead_columns, 128};
  compression::for_row_chunks(module.weight.rows(), 32, [&](std::int64_t begin, std::int64_t end) {
    throw_if_stopped();
    std::vector<std::span<const float>> rows;
    for (std::int64_t o = begin; o < end; ++o) rows.push_back(writer.weights(o));
    std::vector<CodedRow> coded(rows.size(), CodedRow(module.weight.columns(), grid));
    const auto part = std::span(errors).subspan(static_cast<std::size_t>(begin), rows.size());
    gptq_rows(factor, grid, options, rows, coded, part);
    for (std::int64_t o = begin; o < end; ++o) writer.write(o, coded[static_cast<std::size_t>(o - begin)]);
  });
  double error = 0;
  for (const double row : errors) error += row / static_cast<double>(errors.size());
  Metrics metrics = writer.metrics();
  metrics.emplace_back("hessian_error", error);
  metrics.emplace_back("damping", factor.damping());
  metrics.emplace_back("damping_raises", static_cast<double>(factor.raises()));
  return metrics;
}

}  // namespace retort::quantize
