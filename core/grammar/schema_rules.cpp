// See schema_rules.h: from schemas to rules, by the sets of schemas that must hold of one value. Forms by type are made
// in form_builder.cpp; rules that no value fits are cut in productive_rules.cpp.
#include "grammar/schema_rules.h"

#include <stdexcept>

#include "grammar/form_builder.h"
#include "grammar/limits.h"
#include "grammar/productive_rules.h"

namespace retort::grammar {

SchemaRules schema_rules(const schema::SchemaDocument& document, const RuleOptions& options) {
  const CompileClock clock(most_compile_seconds);
  FormBuilder builder(document.root(), options);
  SchemaRules rules = builder.build();
  const std::vector<std::uint8_t> productive = productive_rules(rules);
  for (const Disjointness& claim : builder.claims())
    if (productive[static_cast<std::size_t>(claim.both)] != 0)
      throw std::invalid_argument(claim.pointer +
                                  ": oneOf is known to a grammar only where no value can fit two of its schemas; found "
                                  "two that share values (give them different \"type\"s, or different constants of a "
                                  "required property; or say anyOf)");
  if (productive[static_cast<std::size_t>(rules.root)] == 0)
    throw std::invalid_argument("the schema: no value fits it");
  cut_unproductive(rules, productive);
  return rules;
}

}  // namespace retort::grammar
