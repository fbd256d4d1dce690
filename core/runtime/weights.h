// Reads weights from a model folder in the form that the kernels are packed from: checked for NaN, layers that share
// an input concatenated. No oneDNN.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/model_folder.h"
#include "runtime/matmul.h"

namespace retort::runtime {

/// One weight [out,in], row-major: `values` for f32; `codes` and one scale per output row, w = code · scale, for int8.
struct LinearWeights {
  std::string name;  ///< of the modules it was made from, for errors and implementations()
  MatmulShape shape;
  std::vector<float> values;
  std::vector<std::int8_t> codes;
  std::vector<float> scales;
};

/// A float tensor as f32. Throws std::runtime_error naming the tensor and the place of the first NaN or infinity.
std::vector<float> finite_f32(const model::TensorView& tensor, const std::string& folder);

/// One module's weight as the folder stores it; int4 as f32.
LinearWeights read_linear(const model::LinearWeight& weight, const std::string& module, const std::string& folder);

/// w = code · scale; returns float weights unchanged.
std::vector<float> dequantized(const LinearWeights& weights);

/// The modules "<prefix>.<name>" one below the other, [Σ out, in], so that one matmul serves all. If only some of them
/// are int8, all become f32: mixing would cost two matmuls, and float is the exact choice.
LinearWeights read_fused(const model::ModelFolder& folder, const std::string& prefix,
                         const std::vector<std::string>& names);

}  // namespace retort::runtime
