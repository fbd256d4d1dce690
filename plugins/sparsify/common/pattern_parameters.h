// How a config says what goes, the same for all sparsifiers (pattern.h).
#pragma once

#include <retort/parameters.hpp>

namespace retort::sparsify {

/// The schema that a component's own parameters are added to; `P` has the number fraction and the string pattern.
/// `fraction` says of what the fraction is.
template <typename P>
ParameterSet<P> pattern_schema(const char* fraction) {
  ParameterSet<P> schema;
  schema.number("fraction", &P::fraction)
      .at_least(0)
      .below(1)
      .doc(fraction)
      .string("pattern", &P::pattern)
      .doc("\"N:M\": of every M neighbouring input columns N weights stay, as \"2:4\"; empty: none");
  return schema;
}

}  // namespace retort::sparsify
