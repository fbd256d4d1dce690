// What a package promises: calls with the logits of their tokens, stored in retort.json when it is made (stage.export),
// and computed again on the machine that runs it (`retort verify`). Nothing of right or wrong answers: evaluation.h.
#pragma once

#include <cstddef>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "runtime/generate/call_model.h"
#include "task/dataset.h"

namespace retort::runtime {

/// One golden call as retort.json holds it: "utterance", or "messages" and "tools" too where it has a context; what the
/// model answers: "response", "calls" or "malformed"; and the numbers behind it: "tokens", the answer's ids, and
/// "logits", of each of them behind those before it.
nlohmann::json golden_call(CallModel& model, const task::Example& example);

/// One promise that is not kept.
struct GoldenDrift {
  std::size_t call = 0;   ///< its place in retort.json's "golden"
  std::string utterance;  ///< the last thing that a user says in it
  std::string place;      ///< "token 3 (id 17, \"<|on|>\")", or "calls"
  std::string expected, found;
};

struct GoldenVerdict {
  std::size_t calls = 0, tokens = 0;
  double greatest_difference = 0;   ///< of a logit, over all tokens
  std::vector<GoldenDrift> drifts;  ///< the first of each call: what follows one is another text
};

/// Computes every golden call of the model's retort.json again: each token's logit must be within `tolerance` of the
/// stored one, and the answer's calls the same. Throws std::invalid_argument by file and place where there are none, or
/// none with logits (a package of an older Retort).
GoldenVerdict verify_golden_calls(CallModel& model, double tolerance);

/// What of a package's files has other bytes than when it was made: "NAME: expected sha256 …, found …" or "…, found
/// none". Empty where retort.json lists no files.
std::vector<std::string> changed_files(const std::filesystem::path& folder, const nlohmann::json& description);
/// What stage.export lists under "files" of retort.json: every file of the folder but retort.json and README.md, which
/// people may edit, with its sha256.
nlohmann::json hashes_of_files(const std::filesystem::path& folder);

}  // namespace retort::runtime
