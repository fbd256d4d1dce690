// What the files of data/ hold, read: the templates by tool, and what puts clauses together.
#pragma once

#include <cstddef>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "clause_template.h"

namespace retort::home {

/// The way clauses are put together: text around {a}, {b} and {c}.
struct Frame {
  std::string id;
  std::string text;
  bool test_only = false;
  bool imperative = true;  ///< the first clause must be one
};

struct Intent {
  std::string tool;        ///< "none" for what no tool answers; "" where each template says its calls
  std::size_t weight = 1;  ///< of its share in training utterances
  bool beside = false;     ///< of what no tool answers: it may stand beside a request that one does
  std::vector<ClauseTemplate> templates;
};

/// Clauses that speak of what the clause before them named: "… and set it to forty percent".
struct FollowUp {
  std::string first, second;                           ///< tools
  nlohmann::json required = nlohmann::json::object();  ///< arguments that the first call must have
  std::string shared;                                  ///< argument that goes over from the first call; "" for none
  std::vector<ClauseTemplate> templates;
};

struct GrammarData {
  std::vector<Intent> tools;
  std::vector<Intent> nones;    ///< groups of what no tool answers
  std::vector<Intent> several;  ///< groups of templates with several calls each
  std::map<std::string, std::vector<Frame>> frames;
  std::vector<FollowUp> follow_ups;
};

/// Wide speech has the templates of simple speech too. Throws std::invalid_argument for a template that is broken.
GrammarData read_grammar_data(Speech speech);

}  // namespace retort::home
