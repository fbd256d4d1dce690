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

/// {"utterances", "same_calls": share, "same_tokens": share, "differences": [{"utterance", "runtime", "libtorch"}]}
nlohmann::json agreement(const AgreementJob& job, const RunHooks& hooks);

}  // namespace retort::train
