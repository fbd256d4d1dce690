// The loss of a decoder on calibration sequences, and its gradients by weight: what pruners rank by. Internal to
// core/train. nll_t = −log softmax(logits)_t of the next token, in nats.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "train/decoder_module.h"
#include "train/libtorch.h"
#include "train/sequences.h"

namespace retort::train {

/// Mean nll over the response tokens of all sequences; over all tokens but the first where no sequence has a response.
/// 0 where there are none.
double mean_token_loss(DecoderModule& decoder, const std::vector<Sequence>& sequences);

struct LossGradients {
  std::map<std::string, torch::Tensor> mean;         ///< of mean_token_loss()
  std::map<std::string, torch::Tensor> mean_square;  ///< mean over sequences of the squared gradient of one's own loss
};

/// `squares` says whether mean_square is wanted: the diagonal of the empirical Fisher information, a sequence a sample.
/// Sequence by sequence; leaves the weights' .grad undefined.
LossGradients loss_gradients(DecoderModule& decoder, const std::vector<Sequence>& sequences, bool squares);

}  // namespace retort::train
