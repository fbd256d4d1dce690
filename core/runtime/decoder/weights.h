// Weights of a model folder as the kernels are packed from them: borrowed views, layers that share an input one below
// the other, single rows and tensors as f32, checks for NaN. No oneDNN.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/model_folder.h"

namespace retort::runtime {

/// How a weight is multiplied.
enum class WeightForm {
  f32,   ///< f32 and f16 tensors, and what no other form can hold
  bf16,  ///< bf16 tensors
  int8,  ///< codes with one scale per output row
  int4,  ///< codes with one scale per output row and group of input columns
};

/// One weight [out,in] as the folder stores it, row-major. Borrows: the folder must outlive it.
struct LinearWeights {
  std::string name;  ///< of the modules it was made from, for errors and implementations()
  std::string folder;
  WeightForm form = WeightForm::f32;
  std::int64_t in = 0;
  std::int64_t out = 0;
  std::int64_t group_size = 0;             ///< int4: as packed, 32, 64 or 128; divides that of every part
  int activation_bits = 0;                 ///< int8: 8 if every part asks for it, see model::LinearWeight
  std::vector<model::LinearWeight> parts;  ///< the rows of the first come first
  /// Whose memory parts() lie in, to give it back once it was packed; may be null.
  const model::ModelFolder* source = nullptr;

  /// Gives back the pages that were read.
  void release() const;
};

/// A float tensor as f32. Throws std::runtime_error naming the tensor and the place of the first NaN or infinity.
std::vector<float> finite_f32(const model::StoredTensor& tensor, const std::string& folder);

/// What an RMSNorm multiplies with: "<module>.weight", plus 1 in the families that ask for it. Throws as finite_f32.
std::vector<float> norm_weight(const model::ModelFolder& folder, const std::string& module);

/// Throws as finite_f32 if a float tensor or a scale of `weights` is not finite; reads all of them.
void require_finite(const LinearWeights& weights);

/// Several modules as one weight. If they are not all stored alike, the form is f32: mixing would cost several matmuls,
/// and float is the exact choice. So it is for int4 in groups that no multiple of 32 divides.
LinearWeights join(std::string name, std::string folder, std::vector<model::LinearWeight> parts);

/// The modules "<prefix>.<name>" one below the other, [Σ out, in], so that one matmul serves all.
LinearWeights read_fused(const model::ModelFolder& folder, const std::string& prefix,
                         const std::vector<std::string>& names);
LinearWeights read_embedding(const model::ModelFolder& folder);
/// The embedding where it is tied.
LinearWeights read_head(const model::ModelFolder& folder);

/// Row `row` of a weight as f32 [in]: codes less their zero point times their scale. No allocation.
void read_row(const model::LinearWeight& weight, std::int64_t row, float* target);
/// One element of a float tensor.
float element(const model::StoredTensor& tensor, std::int64_t index);

/// The whole weight as f32 [out,in].
std::vector<float> dequantized(const LinearWeights& weights);

}  // namespace retort::runtime
