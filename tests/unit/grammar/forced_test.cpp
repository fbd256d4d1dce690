// Forced runs: what they write is what the tokenizer writes.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>

#include "fixtures.h"
#include "grammar/grammar.h"
#include "grammar/instance_text.h"
#include "grammar/program_builder.h"

namespace retort::grammar {
namespace {

using schema::OrderedJson;

/// Along valid instances, forced tokens are those of the instance's tokenisation.
TEST(ForcedRuns, AreCanonicalAlongRealInstances) {
  const auto folder = tests::shared_data("tokenizer-qwen3");
  const auto file = tests::shared_data("../cases/json-schema/handed.jsonl");
  RETORT_NEEDS(folder);
  RETORT_NEEDS(file);
  const auto tokenizer = text::Tokenizer::load(folder);
  const auto vocabulary = std::make_shared<const Vocabulary>(tokenizer);
  std::ifstream lines(file);
  std::int64_t forced = 0, all = 0, other = 0;
  for (std::string line; std::getline(lines, line);) {
    const OrderedJson group = OrderedJson::parse(line);
    std::shared_ptr<const Program> program;
    try {
      program = schema_program(schema_rules(schema::SchemaDocument(group.at("schema"))),
                               {task::JsonSpacing::compact, task::KeyOrder::schema});
    } catch (const std::invalid_argument&) {
      continue;
    }
    Grammar grammar(program, vocabulary);
    for (const OrderedJson& test : group.at("tests")) {
      if (!test.at("valid").get<bool>()) continue;
      const std::vector<TokenId> tokens = tokenizer.encode(compact_text(test.at("data")));
      GrammarState whole = grammar.begin();
      if (!std::all_of(tokens.begin(), tokens.end(), [&](TokenId token) { return grammar.advance(whole, token); }))
        continue;  // its keys stand in another order than the schema's
      GrammarState state = grammar.begin();
      for (std::size_t at = 0; at < tokens.size();) {
        const std::vector<TokenId> run = grammar.forced(state, tokenizer);
        for (std::size_t i = 0; i < run.size(); ++i) {
          const bool same = at + i < tokens.size() && run[i] == tokens[at + i];
          other += same ? 0 : 1;
          if (same) continue;
          std::vector<TokenId> read(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(at));
          ADD_FAILURE() << "behind " << tokenizer.decode(read) << " forced " << tokenizer.decode(run) << ", expected "
                        << (at + i < tokens.size() ? tokenizer.decode({tokens[at + i]}) : "the end") << " at " << i;
          break;
        }
        forced += static_cast<std::int64_t>(run.size());
        const std::size_t steps = std::max<std::size_t>(run.size(), 1);
        bool taken = true;
        for (std::size_t i = 0; i < steps && at < tokens.size() && taken; ++i, ++at)
          taken = grammar.advance(state, tokens[at]);
        if (!taken) break;  // another order of keys than the schema's
        all += static_cast<std::int64_t>(steps);
      }
    }
  }
  EXPECT_EQ(other, 0) << "of " << forced << " forced tokens";
  EXPECT_GT(forced * 10, all) << forced << " of " << all;
}

}  // namespace
}  // namespace retort::grammar
