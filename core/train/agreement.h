// Train-to-serve proof: do the runtime's greedy calls equal those of the LibTorch model with the same weights?
// No LibTorch in this header.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "train/hooks.h"

namespace retort::train {

struct AgreementJob {
  std::filesystem::path model;
  std::filesystem::path dataset;
  std::string split = "test";
  std::int64_t limit = 0;  ///< utterances; 0 = all
  std::int64_t max_new_tokens = 96;
  std::int64_t threads = 1;
};

/// {"utterances", "same_calls": share of the utterances on which both answer well-formed, equal calls, "same_tokens":
/// share on which both say the same tokens, well-formed or not, "both_malformed": share on which neither answers calls
/// (never counted as the same calls), "differences": [{"utterance", "runtime", "libtorch"}] where the calls are not the
/// same}
nlohmann::json agreement(const AgreementJob& job, const RunHooks& hooks);

}  // namespace retort::train
