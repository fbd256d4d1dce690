// See call_grammar.h.
#include "call_grammar.h"

namespace retort::apps {

namespace po = boost::program_options;

void add_grammar_options(po::options_description& options) {
  options.add_options()("values-from-utterance", po::bool_switch(),
                        "free texts must be said in the question, at word borders")(
      "no-grammar", po::bool_switch(), "let the model write anything, not only valid calls of its tools")(
      "tag-weight", po::value<double>()->value_name("NUMBER"),
      "how much what the model says under the words of the question counts, where it was taught to; 0: not at all "
      "(default: as its folder says)");
}

void apply_grammar_options(const po::variables_map& variables, runtime::CallModel& model) {
  runtime::CallGrammar grammar = model.grammar_settings();
  const bool off = variables["no-grammar"].as<bool>(), said = variables["values-from-utterance"].as<bool>();
  const auto& weight = variables["tag-weight"];
  if (!off && !said && weight.empty()) return;
  grammar.on = !off;
  grammar.options.values_from_utterance = grammar.options.values_from_utterance || said;
  if (!weight.empty()) grammar.tag_weight = model.contract().with_tag_weight(weight.as<double>()).tag_weight();
  model.set_grammar(std::move(grammar));
}

}  // namespace retort::apps
