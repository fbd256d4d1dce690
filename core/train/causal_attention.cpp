// Each head is copied into small padded matrices, where all products are tiles of 8 rows and 16 columns.
#include "train/causal_attention.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "train/vectorised.h"

namespace retort::train {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t tile_rows = 8, tile_columns = lane_count;
std::int64_t padded(std::int64_t size) {
  return (size + tile_columns - 1) / tile_columns * tile_columns;
}

/// Which part of a product of T×T triangles is not known to be zero, for the tile whose first row is `row`. In the
/// first `square` rows and columns nothing is.
enum class Triangle {
  result_lower,  ///< C is needed up to the diagonal only
  left_lower,    ///< A is zero above the diagonal
  left_upper,    ///< A is zero below the diagonal
};

/// C [rows,columns] = or += A·B. A(i,k) stands at a[i·row_step + k·inner_step]; B and C are dense, B has `inner` rows.
/// rows is a multiple of 8, columns of 16.
struct Product {
  const float* a;
  std::int64_t row_step, inner_step;
  const float* b;
  float* c;
  std::int64_t rows, columns, inner;
  Triangle triangle;
  bool accumulate;
  std::int64_t square;
};

// Spelled out, since GCC 14 loses a vector_size that depends on a template's parameter.
template <std::int64_t kLanes>
struct Vectors;
template <>
struct Vectors<4> {
  using Floats = float __attribute__((vector_size(16), aligned(4), may_alias));
};
template <>
struct Vectors<8> {
  using Floats = float __attribute__((vector_size(32), aligned(4), may_alias));
};
template <>
struct Vectors<16> {
  using Floats = float __attribute__((vector_size(64), aligned(4), may_alias));
};

/// A tile in parts of kRows rows, whose sums are what the processor's registers hold.
template <std::int64_t kLanes, std::int64_t kRows>
[[gnu::always_inline]] inline void multiply_by(const Product& p) {
  using Vector = typename Vectors<kLanes>::Floats;
  static_assert(sizeof(Vector) == kLanes * sizeof(float));
  constexpr std::int64_t parts = tile_columns / kLanes;
  for (std::int64_t row = 0; row < p.rows; row += tile_rows) {
    const std::int64_t diagonal = row < p.square ? std::max(row + tile_rows, p.square) : row + tile_rows;
    const std::int64_t past = std::min(diagonal, p.inner);
    const std::int64_t from = p.triangle == Triangle::left_upper && row >= p.square ? row : 0;
    const std::int64_t to = p.triangle == Triangle::left_lower ? past : p.inner;
    const std::int64_t width = p.triangle == Triangle::result_lower ? std::min(diagonal, p.columns) : p.columns;
    for (std::int64_t column = 0; column < width; column += tile_columns) {
      for (std::int64_t first = row; first < row + tile_rows; first += kRows) {
        Vector sum[kRows][parts] = {};
        const float* a = p.a + first * p.row_step;
        for (std::int64_t k = from; k < to; ++k) {
          const auto* b = reinterpret_cast<const Vector*>(p.b + k * p.columns + column);
#pragma GCC unroll 8
          for (std::int64_t i = 0; i < kRows; ++i) {
#pragma GCC unroll 4
            for (std::int64_t part = 0; part < parts; ++part)
              sum[i][part] += a[i * p.row_step + k * p.inner_step] * b[part];
          }
        }
#pragma GCC unroll 8
        for (std::int64_t i = 0; i < kRows; ++i) {
          auto* c = reinterpret_cast<Vector*>(p.c + (first + i) * p.columns + column);
#pragma GCC unroll 4
          for (std::int64_t part = 0; part < parts; ++part)
            c[part] = p.accumulate ? c[part] + sum[i][part] : sum[i][part];
        }
      }
    }
  }
}

// One function per level, and not clones of one (vectorised.h): the registers decide on the tile.
void multiply_anywhere(const Product& p) {
  multiply_by<4, 2>(p);
}

#if defined(__x86_64__)
[[gnu::target("arch=x86-64-v3")]] void multiply_avx2(const Product& p) {
  multiply_by<8, 4>(p);
}

[[gnu::target("arch=x86-64-v4")]] void multiply_avx512(const Product& p) {
  multiply_by<16, 8>(p);
}
#endif

void multiply(const Product& p) {
#if defined(__x86_64__)
  static const bool avx512 = __builtin_cpu_supports("x86-64-v4") != 0;
  static const bool avx2 = __builtin_cpu_supports("x86-64-v3") != 0;
  if (avx512) return multiply_avx512(p);
  if (avx2) return multiply_avx2(p);
#endif
  multiply_anywhere(p);
}

/// row[j] = exp(row[j] − shift) for j < size, 0 for the rest of `width`, a multiple of 16; every value at most `shift`.
RETORT_VECTORISED void exponential_row(float* row, std::int64_t size, std::int64_t width, float shift) {
  for (std::int64_t j = 0; j < size; j += tile_columns) {
    Lanes y = lanes_at(row + j) - shift;
    exponentiate(y);
    lanes_at(row + j) = y;
  }
  for (std::int64_t j = size; j < width; ++j) row[j] = 0;
}

/// Normalises row[j], j < size, clears the rest of `width`, and returns ln Σ exp.
RETORT_VECTORISED float softmax_row(float* row, std::int64_t size, std::int64_t width) {
  float largest = row[0];
  for (std::int64_t j = 1; j < size; ++j) largest = row[j] > largest ? row[j] : largest;
  exponential_row(row, size, width, largest);
  Lanes sums = {};
  for (std::int64_t j = 0; j < size; j += tile_columns) sums += lanes_at(row + j);
  float sum = 0;
  for (std::int64_t lane = 0; lane < tile_columns; ++lane) sum += sums[lane];
  for (std::int64_t j = 0; j < size; j += tile_columns) lanes_at(row + j) *= 1.0f / sum;
  return largest + std::log(sum);
}

/// dS = P∘(dP − Σ P∘dP) of one row, into p, which is 0 from `size` on.
RETORT_VECTORISED void softmax_row_gradient(float* p, float* dp, std::int64_t size) {
  Lanes products = {};
  for (std::int64_t j = 0; j < size; j += tile_columns) products += lanes_at(p + j) * lanes_at(dp + j);
  float mixed = 0;
  for (std::int64_t lane = 0; lane < tile_columns; ++lane) mixed += products[lane];
  for (std::int64_t j = 0; j < size; j += tile_columns) lanes_at(p + j) *= lanes_at(dp + j) - mixed;
}

/// One head's matrices, zero beyond T and head_dim.
struct Room {
  std::int64_t time, size, rows, columns;  ///< T, head_dim and both padded
  std::int64_t square = 0;                 ///< positions that see each other all
  explicit Room(std::int64_t time_in, std::int64_t size_in)
      : time(time_in), size(size_in), rows(padded(time_in)), columns(padded(size_in)) {}

  /// Positions that position t sees.
  std::int64_t seen(std::int64_t t) const { return std::max(t + 1, t < square ? square : 0); }
  std::vector<float> matrix() const { return std::vector<float>(static_cast<std::size_t>(rows * columns)); }
  std::vector<float> pairs() const { return std::vector<float>(static_cast<std::size_t>(rows * rows)); }

  /// [T,head_dim] with `step` between rows → dense.
  void copy(const float* from, std::int64_t step, float factor, std::vector<float>& to) const {
    for (std::int64_t t = 0; t < time; ++t)
      for (std::int64_t d = 0; d < size; ++d)
        to[static_cast<std::size_t>(t * columns + d)] = from[t * step + d] * factor;
  }
  /// [T,head_dim] → [head_dim,T], dense.
  void copy_transposed(const float* from, std::int64_t step, std::vector<float>& to) const {
    for (std::int64_t t = 0; t < time; ++t)
      for (std::int64_t d = 0; d < size; ++d) to[static_cast<std::size_t>(d * rows + t)] = from[t * step + d];
  }
  void copy_back(const std::vector<float>& from, float factor, float* to, std::int64_t step) const {
    for (std::int64_t t = 0; t < time; ++t)
      for (std::int64_t d = 0; d < size; ++d)
        to[t * step + d] = from[static_cast<std::size_t>(t * columns + d)] * factor;
  }
  /// Scores [T,T] = a [T,head_dim] · bᵀ, needed up to the diagonal.
  Product scores(const std::vector<float>& a, const std::vector<float>& b_transposed, std::vector<float>& to) const {
    return {a.data(), columns, 1, b_transposed.data(), to.data(), rows, rows, size, Triangle::result_lower,
            false,    square};
  }
  /// [T,head_dim] = weights [T,T] · b.
  Product mix(const std::vector<float>& weights, const std::vector<float>& b, std::vector<float>& to) const {
    return {weights.data(), rows, 1, b.data(), to.data(), rows, columns, rows, Triangle::left_lower, false, square};
  }
  /// [T,head_dim] += weightsᵀ · b.
  Product mix_back(const std::vector<float>& weights, const std::vector<float>& b, std::vector<float>& to) const {
    return {weights.data(), 1, rows, b.data(), to.data(), rows, columns, rows, Triangle::left_upper, true, square};
  }
};

/// Where the heads of a contiguous [B,T,heads,head_dim] tensor begin.
struct Heads {
  std::int64_t time, heads, size;
  std::int64_t step() const { return heads * size; }
  std::int64_t at(std::int64_t batch, std::int64_t head) const { return batch * time * step() + head * size; }
};

std::vector<std::int64_t> squares_of(const Tensor& both_ways, std::int64_t batch, std::int64_t time) {
  std::vector<std::int64_t> squares(static_cast<std::size_t>(batch), 0);
  if (!both_ways.defined()) return squares;
  const auto lengths = both_ways.accessor<std::int64_t, 1>();
  for (std::int64_t b = 0; b < batch; ++b) squares[static_cast<std::size_t>(b)] = std::min(lengths[b], time);
  return squares;
}

struct CausalAttention : torch::autograd::Function<CausalAttention> {
  static Tensor forward(AutogradContext* context, const Tensor& q_in, const Tensor& k_in, const Tensor& v_in,
                        const std::vector<std::int64_t>& squares) {
    const Tensor q = q_in.contiguous(), k = k_in.contiguous(), v = v_in.contiguous();
    const std::int64_t batch = q.size(0), time = q.size(1), size = q.size(3), kv_heads = k.size(2);
    const Heads queries{time, q.size(2), size}, groups{time, kv_heads, size};
    const std::int64_t times = queries.heads / kv_heads;
    Tensor out = torch::empty({batch, time, queries.heads * size}), sums = torch::empty({batch, queries.heads, time});
    const float *q_data = q.data_ptr<float>(), *k_data = k.data_ptr<float>(), *v_data = v.data_ptr<float>();
    float *out_data = out.data_ptr<float>(), *sums_data = sums.data_ptr<float>();
    const float factor = 1.0f / std::sqrt(static_cast<float>(size));
    at::parallel_for(0, batch * kv_heads, 1, [&](std::int64_t begin, std::int64_t end) {
      Room room(time, size);
      std::vector<float> query = room.matrix(), value = room.matrix(), mixed = room.matrix();
      std::vector<float> key_transposed = room.matrix(), weights = room.pairs();
      for (std::int64_t task = begin; task < end; ++task) {
        const std::int64_t b = task / kv_heads, group = task % kv_heads;
        room.square = squares[static_cast<std::size_t>(b)];
        room.copy_transposed(k_data + groups.at(b, group), groups.step(), key_transposed);
        room.copy(v_data + groups.at(b, group), groups.step(), 1.0f, value);
        for (std::int64_t head = group * times; head < (group + 1) * times; ++head) {
          room.copy(q_data + queries.at(b, head), queries.step(), factor, query);
          multiply(room.scores(query, key_transposed, weights));
          float* log_sums = sums_data + (b * queries.heads + head) * time;
          for (std::int64_t t = 0; t < time; ++t)
            log_sums[t] = softmax_row(weights.data() + t * room.rows, room.seen(t), room.rows);
          multiply(room.mix(weights, value, mixed));
          room.copy_back(mixed, 1.0f, out_data + queries.at(b, head), queries.step());
        }
      }
    });
    context->save_for_backward({q, k, v, sums});
    context->saved_data["squares"] = squares;
    return out;
  }

  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &q = saved[0], &k = saved[1], &v = saved[2], &sums = saved[3];
    const Tensor gradient = upstream[0].contiguous();
    const std::int64_t batch = q.size(0), time = q.size(1), size = q.size(3), kv_heads = k.size(2);
    const Heads queries{time, q.size(2), size}, groups{time, kv_heads, size};
    const std::int64_t times = queries.heads / kv_heads;
    Tensor dq = torch::empty_like(q), dk = torch::empty_like(k), dv = torch::empty_like(v);
    const float *q_data = q.data_ptr<float>(), *k_data = k.data_ptr<float>(), *v_data = v.data_ptr<float>(),
                *g_data = gradient.data_ptr<float>(), *sums_data = sums.data_ptr<float>();
    float *dq_data = dq.data_ptr<float>(), *dk_data = dk.data_ptr<float>(), *dv_data = dv.data_ptr<float>();
    const float factor = 1.0f / std::sqrt(static_cast<float>(size));
    const std::vector<std::int64_t> squares = context->saved_data["squares"].toIntVector();
    at::parallel_for(0, batch * kv_heads, 1, [&](std::int64_t begin, std::int64_t end) {
      Room room(time, size);
      std::vector<float> query = room.matrix(), key = room.matrix(), g = room.matrix(), dquery = room.matrix();
      std::vector<float> key_transposed = room.matrix(), value_transposed = room.matrix();
      std::vector<float> weights = room.pairs(), dweights = room.pairs();
      for (std::int64_t task = begin; task < end; ++task) {
        const std::int64_t b = task / kv_heads, group = task % kv_heads, place = groups.at(b, group);
        room.square = squares[static_cast<std::size_t>(b)];
        room.copy(k_data + place, groups.step(), 1.0f, key);
        room.copy_transposed(k_data + place, groups.step(), key_transposed);
        room.copy_transposed(v_data + place, groups.step(), value_transposed);
        std::vector<float> dkey = room.matrix(), dvalue = room.matrix();
        for (std::int64_t head = group * times; head < (group + 1) * times; ++head) {
          room.copy(q_data + queries.at(b, head), queries.step(), factor, query);
          room.copy(g_data + queries.at(b, head), queries.step(), 1.0f, g);
          multiply(room.scores(query, key_transposed, weights));
          multiply(room.scores(g, value_transposed, dweights));
          const float* log_sums = sums_data + (b * queries.heads + head) * time;
          for (std::int64_t t = 0; t < time; ++t)
            exponential_row(weights.data() + t * room.rows, room.seen(t), room.rows, log_sums[t]);
          multiply(room.mix_back(weights, g, dvalue));
          for (std::int64_t t = 0; t < time; ++t)
            softmax_row_gradient(weights.data() + t * room.rows, dweights.data() + t * room.rows, room.seen(t));
          multiply(room.mix(weights, key, dquery));
          multiply(room.mix_back(weights, query, dkey));
          room.copy_back(dquery, factor, dq_data + queries.at(b, head), queries.step());
        }
        room.copy_back(dkey, 1.0f, dk_data + place, groups.step());
        room.copy_back(dvalue, 1.0f, dv_data + place, groups.step());
      }
    });
    return {dq, dk, dv, {}};
  }
};

}  // namespace

namespace {

/// [T,T] or [B,1,T,T]: what each position does not look at.
Tensor unseen_positions(const Tensor& q, std::int64_t window, const Tensor& both_ways) {
  const std::int64_t time = q.size(1);
  const Tensor all = torch::ones({time, time}, torch::dtype(torch::kBool).device(q.device()));
  Tensor unseen = all.triu(1);
  if (window > 0) unseen = unseen.logical_or(all.tril(-window));
  if (!both_ways.defined()) return unseen;
  const Tensor positions = torch::arange(time, both_ways.options());
  const Tensor inside = (positions.unsqueeze(0) < both_ways.unsqueeze(1)).view({-1, 1, time});
  return unseen.logical_and(inside.logical_and(inside.transpose(1, 2)).logical_not()).unsqueeze(1);
}

/// LibTorch's own kernels, which keep no [T,T] scores where the device has such.
Tensor device_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t window,
                        const Tensor& both_ways) {
  const std::int64_t times = q.size(2) / k.size(2);
  const auto heads = [&](const Tensor& x, std::int64_t repeats) {
    const Tensor first = x.to(q.scalar_type()).transpose(1, 2);
    return repeats == 1 ? first : first.repeat_interleave(repeats, 1);
  };
  const bool triangle = !both_ways.defined() && window == 0;
  std::optional<Tensor> seen;
  if (!triangle) seen = unseen_positions(q, window, both_ways).logical_not();
  return torch::scaled_dot_product_attention(heads(q, 1), heads(k, times), heads(v, times), seen, 0.0, triangle)
      .transpose(1, 2)
      .reshape({q.size(0), q.size(1), q.size(2) * q.size(3)});
}

}  // namespace

Tensor ref_causal_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t window,
                            const Tensor& both_ways) {
  const std::int64_t times = q.size(2) / k.size(2);
  const auto heads = [&](const Tensor& x, std::int64_t repeats) {
    return x.to(torch::kFloat32).transpose(1, 2).repeat_interleave(repeats, 1);
  };
  const Tensor scores = heads(q, 1).matmul(heads(k, times).transpose(2, 3)) / std::sqrt(static_cast<double>(q.size(3)));
  const Tensor unseen = unseen_positions(q, window, both_ways);
  const Tensor weights = scores.masked_fill(unseen, -std::numeric_limits<double>::infinity()).softmax(-1);
  return weights.matmul(heads(v, times)).transpose(1, 2).reshape({q.size(0), q.size(1), q.size(2) * q.size(3)});
}

Tensor causal_attention(const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t window,
                        const Tensor& both_ways) {
  const bool windowed = window > 0 && window < q.size(1);
  if (!q.is_cpu()) return device_attention(q, k, v, windowed ? window : 0, both_ways);
  if (q.numel() == 0 || windowed) return ref_causal_attention(q, k, v, window, both_ways);
  return CausalAttention::apply(q.to(torch::kFloat32), k.to(torch::kFloat32), v.to(torch::kFloat32),
                                squares_of(both_ways, q.size(0), q.size(1)));
}

}  // namespace retort::train
