// Products of weights that are unpacked to f32 for the purpose, one block of columns after the other, so that a block
// is multiplied while it is still in the caches. For so many rows that unpacking a weight costs little beside them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/kernels/parallel.h"
#include "runtime/linear/matmul.h"
#include "runtime/linear/row_kernel.h"

namespace retort::runtime {

class UnpackedProduct {
 public:
  /// Of W [out,in]; `pool`, which must outlive it, gets room for a block. `layer` and errors as in Matmul.
  UnpackedProduct(MatmulPool& pool, const std::string& layer, std::int64_t in, std::int64_t out,
                  std::int64_t least_rows);

  /// False where oneDNN reads f32 in another layout than panels (packing.h): without AVX-512.
  bool possible() const { return !blocks_.empty(); }
  std::string implementation() const { return blocks_.front().matmul->implementation(); }

  /// out[rows,out] = in[rows,in] · Wᵀ; see Matmul::execute. unpack(panel, stride_words, target) writes one panel to
  /// `target` [stride_words][64], with zeros behind value `in` and behind the last column. Panels are unpacked by
  /// different threads; it must not throw.
  template <class Unpack>
  void run(std::int64_t rows, const float* in, float* out, const Unpack& unpack) const {
    for (const Block& block : blocks_) {
      const std::int64_t panel_values = block.stride_words * kPanelColumns;
      parallel_for(block.panels, block.panels * panel_values, [&](std::int64_t i, std::int64_t) {
        unpack(block.first_panel + i, block.stride_words, pool_.unpacked() + i * panel_values);
      });
      multiply(block, rows, in, out);
    }
  }

 private:
  struct Block {
    std::int64_t first_panel = 0;
    std::int64_t panels = 0;
    std::int64_t stride_words = 0;
    const Matmul* matmul = nullptr;
    dnnl::memory weight;  // a descriptor; the pool's buffer is set at every call
  };
  void multiply(const Block& block, std::int64_t rows, const float* in, float* out) const;

  MatmulPool& pool_;
  std::vector<Block> blocks_;
};

}  // namespace retort::runtime
