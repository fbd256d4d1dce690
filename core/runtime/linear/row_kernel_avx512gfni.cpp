// The row kernel of row_kernel.h for int4 with AVX-512, VNNI and GFNI.
#include "runtime/linear/row_kernel_avx512vnni.h"

namespace retort::runtime {
namespace {

// The second of the codes in every byte, by one instruction instead of two: it multiplies each byte, as a vector of
// bits, by a matrix, here the one that moves bits 4 … 7 to 0 … 3.
struct AffineNibbles {
  RETORT_INLINE static __m512i high(__m512i word) {
    return _mm512_gf2p8affine_epi64_epi8(word, _mm512_set1_epi64(0x1020408000000000), 0);
  }
};

}  // namespace

void int4_rows_avx512gfni_next(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in,
                               float* out) {
  avx512::int4_rows<AffineNibbles, Fetching::next_panel>(weights, span, rows, in, out);
}

}  // namespace retort::runtime
