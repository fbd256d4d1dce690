// Hand-written products of a few rows with weights packed in panels of 64 columns: int8 and int4, one table entry per
// instruction set, fastest first, plain loops last. No threads, no allocation, no oneDNN: callers split the panels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace retort::runtime {

/// Output columns of one panel.
inline constexpr std::int64_t kPanelColumns = 64;

/// Layers of fewer weights are taken for those of a model that stays in the processor's caches, larger ones for such
/// as come from memory for every token.
inline constexpr std::int64_t kCachedWeights = 700'000;

/// Panels [first, last), which a thread multiplies, and those [begin, end) that it walks in order, of which it has
/// multiplied the ones before `first` and may fetch the ones that follow; none where end is 0.
struct PanelSpan {
  std::int64_t first = 0;
  std::int64_t last = 0;
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// W [out,in] int8, w = code · scale. Codes stand as 32-bit words [panels][stride_words][64]: word k of a column holds
/// its codes 4k … 4k+3; columns and codes past the end are 0. This is oneDNN's layout BA16a64b4a too.
struct Int8Panels {
  const std::int8_t* codes = nullptr;
  const std::int32_t* sums = nullptr;  ///< [panels · 64]: the sum of a column's codes
  const float* scales = nullptr;       ///< [panels · 64]
  std::int64_t out = 0;
  std::int64_t words = 0;         ///< that matter: ⌈in/4⌉
  std::int64_t stride_words = 0;  ///< from one panel to the next

  bool stay_cached() const { return out * words * 4 < kCachedWeights; }
};

/// Rows of activations as codes, x = code · (a scale of the row, which the caller applies): codes of 8 bits, or of 15
/// bits in two planes, code = 128 · high + low, of which a row's high one comes first. Bytes after a plane, up to the
/// end of a word, are read too, and multiplied by 0.
struct Int8Rows {
  const std::int8_t* codes = nullptr;    ///< [rows] or [rows][2] planes
  std::int64_t stride = 0;               ///< bytes from plane to plane
  bool wide = false;                     ///< two planes a row
  const std::int16_t* joined = nullptr;  ///< [rows][4 · Int8Panels::words]: see RowKernels::join
};

enum class ScaleType : std::uint8_t { f32, f16, bf16 };

/// An f16 or bf16 as f32.
float float_of_half(std::uint16_t bits, ScaleType type);

/// W [out,in] in unsigned 4-bit codes, w = (code − 8) · scale of its column's group. [panels][groups] of: 32-bit words
/// [group_size/8][64], where word k of a column holds its codes 8k … 8k+7, lowest first; then 64 scales, which kernels
/// need last: so they read a panel from end to end. Columns and codes past the end mean nothing. Zero points stand
/// apart, since row kernels know nothing of them: see zero_points.h.
struct Int4Panels {
  const std::byte* data = nullptr;
  std::int64_t out = 0;
  std::int64_t groups = 0;
  std::int64_t group_size = 0;  ///< 32, 64 or 128
  ScaleType scale_type = ScaleType::f32;
  const std::int8_t* zeros = nullptr;  ///< [panels][groups][64]; null: all 0

  std::int64_t scale_bytes() const { return kPanelColumns * (scale_type == ScaleType::f32 ? 4 : 2); }
  std::int64_t word_bytes() const { return group_size / 2 * kPanelColumns; }  ///< of a group, before its scales
  std::int64_t group_bytes() const { return word_bytes() + scale_bytes(); }
  std::int64_t panel_bytes() const { return groups * group_bytes(); }
  std::int64_t panels() const { return (out + kPanelColumns - 1) / kPanelColumns; }
};

/// Scale `column` of the 64 that stand at `scales`.
float scale_of(const std::byte* scales, ScaleType type, std::int64_t column);

/// Rows of codes of 15 bits in two planes, as in Int8Rows. Within every eight the even ones stand first
/// (0 2 4 6 1 3 5 7), which is how a word's low and high nibbles meet them. Zeros up to a whole group after each plane.
struct Int4Rows {
  const std::int8_t* codes = nullptr;    ///< [rows][2][groups · group_size]
  const std::int32_t* sums = nullptr;    ///< [rows][2][groups]: the sum of a plane's codes in a group
  const std::int16_t* joined = nullptr;  ///< [rows][groups · group_size]: see RowKernels::join
};

/// W [out,in] in bf16. [panels][stride_words][64] words, where one of a column holds two values, the first in its lower
/// half; values and columns past the end are 0. This is oneDNN's layout BA16a64b2a too.
struct Bf16Panels {
  const std::byte* data = nullptr;
  std::int64_t out = 0;
  std::int64_t in = 0;
  std::int64_t stride_words = 0;  ///< from one panel to the next, at least ⌈in/2⌉

  std::int64_t panel_bytes() const { return stride_words * kPanelColumns * 4; }
};

/// Codes as numbers of 16 bits, in the order in which these kernels read them: 128 · high + low, or high alone where
/// low is null. `count` is a multiple of 4.
using JoinCodes = void (*)(const std::int8_t* high, const std::int8_t* low, std::int64_t count, std::int16_t* out);

/// out[row · panels.out + column] for the columns of the span and all rows; the row's own scale is not applied.
/// Sums are exact integers, which are scaled before those of two planes are joined, in f32: the bits that
/// oneDNN and join_planes (vector_kernels.h) give. Where oneDNN has no such product (AVX2), sums of joined codes are
/// exact over every 1024 of them, added in f32, in order, and scaled at the end.
using Int8RowKernel = void (*)(const Int8Panels& weights, const PanelSpan& span, std::int64_t rows, const Int8Rows& in,
                               float* out);
/// The same for int4. Sums of a plane within a group are exact integers; groups are added in f32.
using Int4RowKernel = void (*)(const Int4Panels& weights, const PanelSpan& span, std::int64_t rows, const Int4Rows& in,
                               float* out);

/// out[row · weights.out + column] = Σ in[row · weights.in + k] · W[column,k], added in f32 in the order of k, for the
/// columns of the span and any number of rows.
using Bf16RowKernel = void (*)(const Bf16Panels& weights, const PanelSpan& span, std::int64_t rows, const float* in,
                               float* out);

/// Who fetches the weights of one row from memory ahead of their use, and which of them. What is fastest on one
/// processor halves another's speed (README.md).
enum class Fetching : std::uint8_t {
  by_hardware,
  ahead,       ///< a few kB ahead: Zen 5
  next_panel,  ///< the panel that follows, several if they are short, in many places at once: Intel's
};

/// Up to how many rows of one product int8 is at least 1.2 times as fast as oneDNN's product of the same weights.
struct Int8Limits {
  struct Rows {
    std::int64_t narrow = 0;  ///< of one plane
    std::int64_t wide = 0;    ///< of two
  };
  Rows small;         ///< layers of less than 300,000 weights
  Rows cached;        ///< others of less than kCachedWeights
  Rows short_panels;  ///< larger ones of up to 1024 inputs, whose panels the second cache holds beside much else
  Rows long_panels;   ///< larger ones of more
  Rows head;          ///< layers of more than 32,768 outputs: those of two planes of several rows are in no cache

  std::int64_t rows(std::int64_t in, std::int64_t out, bool two_planes) const {
    const Rows& most = of(in, out);
    return two_planes ? most.wide : most.narrow;
  }

 private:
  const Rows& of(std::int64_t in, std::int64_t out) const {
    constexpr std::int64_t kSmall = 300'000, kShort = 1024, kHead = 32'768;
    if (out > kHead) return head;
    if (in * out < kSmall) return small;
    if (in * out < kCachedWeights) return cached;
    return in <= kShort ? short_panels : long_panels;
  }
};

struct RowKernels {
  const char* name;          ///< "avx512_vnni_next", "avx512_vnni_ahead", "avx512_vnni", "avx2", "scalar"
  unsigned instruction_set;  ///< dnnl_cpu_isa_t whose bits must all be in the processor's
  bool gfni;                 ///< needs this too, for which oneDNN has no bit
  Fetching fetching;         ///< not by_hardware: only for processors that are meant to have it
  Int8Limits int8_limits;
  Int8RowKernel int8;
  Int4RowKernel int4;
  JoinCodes join = nullptr;      ///< not null: rows are read from `joined`
  Bf16RowKernel bf16 = nullptr;  ///< null: none
};

/// Fastest first; the last runs everywhere.
std::span<const RowKernels> row_kernels();
/// Whether this processor has what they need, of which `instruction_set` (dnnl_get_effective_cpu_isa) may be used.
bool can_run(const RowKernels& kernels, unsigned instruction_set);
/// The first that can run and that this processor is meant to have.
const RowKernels& row_kernels_for(unsigned instruction_set);

void int8_rows_avx512vnni(const Int8Panels&, const PanelSpan&, std::int64_t, const Int8Rows&, float*);
void int8_rows_avx512vnni_ahead(const Int8Panels&, const PanelSpan&, std::int64_t, const Int8Rows&, float*);
void int8_rows_avx512vnni_next(const Int8Panels&, const PanelSpan&, std::int64_t, const Int8Rows&, float*);
void int8_rows_avx2(const Int8Panels&, const PanelSpan&, std::int64_t, const Int8Rows&, float*);
void bf16_rows_avx2(const Bf16Panels&, const PanelSpan&, std::int64_t, const float*, float*);
void bf16_rows_avx2_ahead(const Bf16Panels&, const PanelSpan&, std::int64_t, const float*, float*);
void join_codes_avx2(const std::int8_t*, const std::int8_t*, std::int64_t, std::int16_t*);
void int8_rows_scalar(const Int8Panels&, const PanelSpan&, std::int64_t, const Int8Rows&, float*);
void int4_rows_avx512vnni(const Int4Panels&, const PanelSpan&, std::int64_t, const Int4Rows&, float*);
void int4_rows_avx512vnni_ahead(const Int4Panels&, const PanelSpan&, std::int64_t, const Int4Rows&, float*);
void int4_rows_avx512gfni_next(const Int4Panels&, const PanelSpan&, std::int64_t, const Int4Rows&, float*);
void int4_rows_avx2(const Int4Panels&, const PanelSpan&, std::int64_t, const Int4Rows&, float*);
void int4_rows_scalar(const Int4Panels&, const PanelSpan&, std::int64_t, const Int4Rows&, float*);

}  // namespace retort::runtime
