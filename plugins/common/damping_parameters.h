// The parameters of a damped Hessian (hessian_factor.h), the same for all who factor one.
#pragma once

#include <retort/parameters.hpp>

namespace retort::compression {

/// `schema` and the damping; `P` has the numbers damping and damping_step.
template <typename P>
ParameterSet<P> with_damping(ParameterSet<P> schema) {
  schema.number("damping", &P::damping)
      .at_least(0)
      .at_most(1)
      .doc("share of the Hessian's mean diagonal that is added to its diagonal")
      .number("damping_step", &P::damping_step)
      .above(0)
      .at_most(1)
      .doc("added to the damping, as often as needed, where the Hessian has no Cholesky factor; it is reported");
  return schema;
}

}  // namespace retort::compression
