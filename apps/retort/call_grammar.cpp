// See call_grammar.h.
#include "call_grammar.h"

#include "grammar/grammar_options.h"
#include "host/base/json.h"

namespace retort::apps {

namespace po = boost::program_options;

void add_grammar_options(po::options_description& options) {
  options.add_options()("enums", po::value<std::string>()->value_name("FILE"),
                        "values of this user in place of a tool's own: {\"TOOL\": {\"ARGUMENT\": [\"VALUE\", ...]}}")(
      "values-from-utterance", po::bool_switch(), "free texts must be said in the question, at word borders")(
      "no-grammar", po::bool_switch(), "let the model write anything, not only valid calls of its tools");
}

void apply_grammar_options(const po::variables_map& variables, runtime::CallModel& model) {
  runtime::CallGrammar grammar = model.grammar_settings();
  const bool off = variables["no-grammar"].as<bool>(), said = variables["values-from-utterance"].as<bool>();
  if (!off && !said && variables.count("enums") == 0) return;
  grammar.on = !off;
  grammar.options.values_from_utterance = grammar.options.values_from_utterance || said;
  if (variables.count("enums") > 0) {
    if (off) throw std::invalid_argument("--enums: expected with a grammar, found --no-grammar");
    const auto file = variables["enums"].as<std::string>();
    grammar::add_enums(grammar.options, host::read_json(file), file);
  }
  model.set_grammar(std::move(grammar));
}

}  // namespace retort::apps
