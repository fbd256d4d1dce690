// GPTQ towards the SDK, for all quantizers whose codes it makes: parameters, the factor of a site, the modules' codes.
#pragma once

#include <cstdint>
#include <retort/parameters.hpp>
#include <retort/quantizer.hpp>
#include <string>

#include "code_grid.h"
#include "damping_parameters.h"
#include "site_factor.h"

namespace retort::quantize {

struct GptqParameters {
  double damping = .01, damping_step = .01;
  std::string order = "grouped_activation";
  bool static_groups = true, zero_dead_columns = false;
};

/// `schema` and GPTQ's own parameters; `P` derives from GptqParameters.
template <typename P>
ParameterSet<P> with_gptq(ParameterSet<P> schema) {
  return compression::with_damping(std::move(schema))
      .string("order", &P::order)
      .one_of({"stored", "activation", "grouped_activation"})
      .doc(
          "order in which columns are rounded: as they lie; by falling diagonal of the Hessian; or so within groups, "
          "and groups by their largest. None needs a g_idx in the file")
      .boolean("static_groups", &P::static_groups)
      .doc(
          "scales come from the untouched weights; false: from the weights as they are when their group is reached, "
          "which the order activation does not allow")
      .boolean("zero_dead_columns", &P::zero_dead_columns)
      .doc("weights of inputs that calibration never saw become 0; false: they are rounded");
}

class GptqModules {
 public:
  /// Throws std::invalid_argument for parameters that contradict each other.
  explicit GptqModules(const GptqParameters& parameters);

  /// Codes of one module of a site, whose statistics hold the Hessian. A table that is looked up is rounded to nearest
  /// and that is logged. Errors are SiteFactor's and CodeWriter's.
  Metrics quantize(const Site& site, std::size_t index, const CodeGrid& grid, const QuantizeOutput& output);

 private:
  GptqParameters parameters_;
  compression::SiteFactor factor_;
};

}  // namespace retort::quantize
