// Train-to-serve proof: does the runtime compute what LibTorch computes of the same weights, quantised ones as the same
// codes? And, apart from that, what do int8 activations, which LibTorch does not imitate, change of the answers? No
// LibTorch in this header.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "train/hooks.h"

namespace retort::train {

struct AgreementJob {
  std::filesystem::path model;
  std::filesystem::path dataset;
  std::filesystem::path work;  ///< an existing folder for temporary files
  std::string split = "test";
  std::int64_t limit = 0;            ///< utterances; 0 = all
  double max_rejected_share = 0.01;  ///< of the split's rows that may be no chat rows
  std::int64_t max_new_tokens = 96;
  std::int64_t threads = 1;
  double tie = 0.05;  ///< logits; see "ties"
};

/// Greedy answers of LibTorch, and of the runtime with activations in floating point:
/// {"utterances", "same_calls": share of the utterances on which both answer well-formed, equal calls, "same_tokens":
///  share on which both say the same tokens, well-formed or not, "ties": share on which they part at a token whose
///  logit LibTorch puts less than `tie` below that of its own: rounding decides there, so that the answer proves
///  nothing about the arithmetic, "both_malformed": share on which neither answers calls (never counted as the same
///  calls), "differences": [{"utterance", "runtime", "libtorch", "tie"}] where the calls are not the same,
///  "int8_activations": null, or for a model that asks for them {"same_calls", "same_tokens", "differences": [{
///  "utterance", "int8", "float"}]} of the runtime as the model is used against the runtime with float activations}
nlohmann::json agreement(const AgreementJob& job, const RunHooks& hooks);

}  // namespace retort::train
