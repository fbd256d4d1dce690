// Quantisation-aware training: a float model goes on learning while its matrices are what their codes say, from the
// distributions of the float model that it was. Written in the forms of quantization.h. No LibTorch in this header.
#pragma once

#include "train/distillation.h"
#include "train/quantization.h"

namespace retort::train {

struct QuantizationAwareJob {
  /// Teachers, student, losses, training, dataset, output and work as distill() takes them. The student is float.
  DistillationJob distillation;
  /// Decides schemes, first scales and zero points; its model, output, seed and threads are the distillation's. Its
  /// dataset calibrates the quantizer where that asks for it.
  QuantizationJob grid;
  bool learn_scales = true;        ///< of int4 groups (LSQ); false: they stay what the quantizer chose
  double scale_learning_rate = 1;  ///< factor on the rate of the scales, each of which learns a factor of its first
};

/// The quantizer makes a quantised model in the work folder, whose codes are then learnt: int8 rows and zero points
/// keep their scale, int4 groups learn theirs. Scales that were bf16 stay bf16. Throws as quantize() and distill(), and
/// std::invalid_argument for a student that is quantised already or whose quantizer stores every matrix in float.
ModelSize train_quantized(const QuantizationAwareJob& job, const RunHooks& hooks);

}  // namespace retort::train
