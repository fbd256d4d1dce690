// One linear layer's weight as a model folder stores it, and the layout of packed int4 codes (compressed-tensors
// "pack-quantized"). Borrows; no kernels: runtime/ packs again for those.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "model/stored_tensor.h"

namespace retort::model {

/// A weight [out,in] in one of three forms; all views are borrowed from the folder.
///   bits 0  `weight` is a float tensor [out,in]; `scale` is null
///   bits 8  `weight` has codes I8 [out,in], `scale` a float [out] or [out,1]:           w = code · scale[row]
///   bits 4  `weight` has codes I32 [out,⌈in/8⌉], `scale` a float [out,in/group_size]:   w = code · scale[row][group]
///           with `zero_point` I32 [⌈out/8⌉,in/group_size]:       w = (code − zero[row][group]) · scale[row][group]
/// Scales may be negative.
/// An int4 code is in [−8, 7] and stored as code + 8. Column c of a row is in int32 c/8, bits 4·(c mod 8) and up. On a
/// little-endian machine byte k of a row has column 2k in its low half and column 2k+1 in its high half. Zero points
/// are such codes too, packed down the rows: that of row r in int32 r/8 of its column, bits 4·(r mod 8) and up.
struct LinearWeight {
  const StoredTensor* weight = nullptr;
  const StoredTensor* scale = nullptr;
  int bits = 0;                              ///< 0 float, 4, 8
  std::int64_t group_size = 0;               ///< input columns that share a scale; 0: the whole row
  std::array<std::int64_t, 2> shape{};       ///< out, in
  int activation_bits = 0;                   ///< what it is multiplied by: 8 int8 codes with a scale per token, 0 float
  const StoredTensor* zero_point = nullptr;  ///< null: all 0, symmetric
  bool quantized() const { return bits != 0; }
};

/// The signed codes [out,in] of a quantised weight, one a byte, row-major.
std::vector<std::int8_t> codes_of(const LinearWeight& weight);

/// The zero points [out,groups] of an int4 weight, row-major, in [−8, 7]; empty where it is symmetric.
std::vector<std::int8_t> zero_points_of(const LinearWeight& weight);
/// That of one row and group, 0 where the weight is symmetric.
int zero_point(const LinearWeight& weight, std::int64_t row, std::int64_t group);

/// What the weight stands for, [out,in], row-major: float tensors converted, codes less
/// their zero point times their scale in f32.
std::vector<float> to_f32(const LinearWeight& weight);

/// Codes [out,in] in [−8, 7], one a byte, as I32 [out,⌈in/8⌉]; the bits behind the last column are 0.
/// Throws std::invalid_argument for a code out of range or a size that does not fit.
std::vector<std::int32_t> pack_int4(std::span<const std::int8_t> codes, std::int64_t out, std::int64_t in);

/// Zero points [out,groups] in [−8, 7], one a byte, as I32 [⌈out/8⌉,groups]; the bits behind the last row are 0. Throws
/// as pack_int4.
std::vector<std::int32_t> pack_zero_points(std::span<const std::int8_t> zero_points, std::int64_t out,
                                           std::int64_t groups);

/// Int32s that hold a row of `in` packed int4 codes.
constexpr std::int64_t packed_int4_columns(std::int64_t in) {
  return (in + 7) / 8;
}

}  // namespace retort::model
