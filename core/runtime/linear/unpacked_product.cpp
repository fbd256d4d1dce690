// See unpacked_product.h.
#include "runtime/linear/unpacked_product.h"

#include <algorithm>

#include "runtime/linear/packing.h"

namespace retort::runtime {
namespace {

// Unpacked at once: what the caches of two cores hold beside the rows.
constexpr std::int64_t kUnpackedBytes = std::int64_t{2} << 20;

}  // namespace

UnpackedProduct::UnpackedProduct(MatmulPool& pool, const std::string& layer, std::int64_t in, std::int64_t out,
                                 std::int64_t least_rows)
    : pool_(pool) {
  const std::int64_t all = panels_of(out), panel_bytes = in * kPanelColumns * 4;
  const std::int64_t blocks = (all * panel_bytes + kUnpackedBytes - 1) / kUnpackedBytes;
  const std::int64_t most = (all + blocks - 1) / blocks;
  for (std::int64_t panel = 0; panel < all; panel += most) {
    const std::int64_t columns = std::min(most * kPanelColumns, out - panel * kPanelColumns);
    const Matmul& matmul = pool.get({Arithmetic::f32, in, columns, out, least_rows}, layer);
    const dnnl::memory::desc& packed = matmul.packed_weight();
    const std::int64_t stride_words = panel_stride_words(packed);
    if (stride_words == 0) {
      blocks_.clear();
      return;
    }
    pool.reserve_unpacked(static_cast<std::int64_t>(packed.get_size() / sizeof(float)));
    blocks_.push_back(
        {panel, panels_of(columns), stride_words, &matmul, {packed, pool.onednn().engine(), DNNL_MEMORY_NONE}});
  }
}

void UnpackedProduct::multiply(const Block& block, std::int64_t rows, const float* in, float* out) const {
  block.weight.set_data_handle(pool_.unpacked());
  block.matmul->execute(pool_.onednn().stream(), rows, in, block.weight, {}, out + block.first_panel * kPanelColumns,
                        pool_.scratchpad());
}

}  // namespace retort::runtime
