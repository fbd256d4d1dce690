#include "train/fused_operations.h"

#include <ATen/Parallel.h>

#include <cmath>

#include "train/vectorised.h"

namespace retort::train {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t rows_per_block = 64;  // of work and of partial sums: independent of the number of threads

bool fusable(const Tensor& x) {
  return x.scalar_type() == torch::kFloat32 && x.is_cpu() && x.numel() > 0;
}

template <typename Body>
void for_blocks(std::int64_t rows, const Body& body) {
  const std::int64_t blocks = (rows + rows_per_block - 1) / rows_per_block;
  at::parallel_for(0, blocks, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t block = begin; block < end; ++block)
      body(block, block * rows_per_block, std::min(rows, (block + 1) * rows_per_block));
  });
}

RETORT_VECTORISED void norm_row(const float* x, const float* weight, float* y, std::int64_t size, float inverse) {
  for (std::int64_t i = 0; i < size; ++i) y[i] = x[i] * inverse * weight[i];
}

RETORT_VECTORISED float dot(const float* a, const float* b, std::int64_t size) {
  constexpr std::int64_t lanes = 32;  // partial sums, so that the loop vectorises without reassociation
  float partial[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= size; i += lanes)
    for (std::int64_t lane = 0; lane < lanes; ++lane) partial[lane] += a[i + lane] * b[i + lane];
  float sum = 0;
  for (; i < size; ++i) sum += a[i] * b[i];
  for (const float value : partial) sum += value;
  return sum;
}

/// dx = r·(g∘w) − x·r³/D·Σ(g∘w∘x); dw += g∘x·r. `scaled` is room for g∘w.
RETORT_VECTORISED void norm_row_gradient(const float* x, const float* weight, const float* g, float* scaled, float* dx,
                                         float* dweight, std::int64_t size, float inverse) {
  for (std::int64_t i = 0; i < size; ++i) scaled[i] = g[i] * weight[i];
  const float mixed = dot(scaled, x, size) * inverse * inverse * inverse / static_cast<float>(size);
  for (std::int64_t i = 0; i < size; ++i) {
    dx[i] = scaled[i] * inverse - x[i] * mixed;
    dweight[i] += g[i] * x[i] * inverse;
  }
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static Tensor forward(AutogradContext* context, const Tensor& x_in, const Tensor& weight, double epsilon) {
    const Tensor x = x_in.contiguous();
    const std::int64_t size = x.size(-1), rows = x.numel() / size;
    Tensor y = torch::empty_like(x), inverse = torch::empty({rows});
    const float *in = x.data_ptr<float>(), *w = weight.data_ptr<float>();
    float *out = y.data_ptr<float>(), *r = inverse.data_ptr<float>();
    for_blocks(rows, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row) {
        const float* values = in + row * size;
        r[row] = 1.0f / std::sqrt(dot(values, values, size) / static_cast<float>(size) + static_cast<float>(epsilon));
        norm_row(values, w, out + row * size, size, r[row]);
      }
    });
    context->save_for_backward({x, weight, inverse});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &inverse = saved[2];
    const Tensor gradient = upstream[0].contiguous();
    const std::int64_t size = x.size(-1), rows = x.numel() / size;
    const std::int64_t blocks = (rows + rows_per_block - 1) / rows_per_block;
    Tensor dx = torch::empty_like(x), partial = torch::zeros({blocks, size}), room = torch::empty({blocks, size});
    const float *in = x.data_ptr<float>(), *w = weight.data_ptr<float>(), *g = gradient.data_ptr<float>(),
                *r = inverse.data_ptr<float>();
    float *out = dx.data_ptr<float>(), *sums = partial.data_ptr<float>(), *scaled = room.data_ptr<float>();
    for_blocks(rows, [&](std::int64_t block, std::int64_t begin, std::int64_t end) {
      for (std::int64_t row = begin; row < end; ++row)
        norm_row_gradient(in + row * size, w, g + row * size, scaled + block * size, out + row * size,
                          sums + block * size, size, r[row]);
    });
    return {dx, partial.sum(0), Tensor()};
  }
};

/// `direction` 1 turns, −1 turns back: the derivative of a rotation is the opposite rotation.
RETORT_VECTORISED void rotate_head(const float* x, const float* cosine, const float* sine, float* y, std::int64_t half,
                                   float direction) {
  for (std::int64_t i = 0; i < half; ++i) {
    const float a = x[i], b = x[i + half], s = sine[i] * direction;
    y[i] = a * cosine[i] - b * s;
    y[i + half] = b * cosine[i] + a * s;
  }
}

Tensor rotate_all(const Tensor& x_in, const Tensor& cosine, const Tensor& sine, float direction) {
  const Tensor x = x_in.contiguous();
  const std::int64_t time = x.size(1), heads = x.size(2), size = x.size(3), rows = x.size(0) * time;
  Tensor y = torch::empty_like(x);
  const float *in = x.data_ptr<float>(), *c = cosine.data_ptr<float>(), *s = sine.data_ptr<float>();
  float* out = y.data_ptr<float>();
  for_blocks(rows, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row)
      for (std::int64_t head = 0; head < heads; ++head) {
        const std::int64_t offset = (row * heads + head) * size, position = row % time * size;
        rotate_head(in + offset, c + position, s + position, out + offset, size / 2, direction);
      }
  });
  return y;
}

struct Rotate : torch::autograd::Function<Rotate> {
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& cosine, const Tensor& sine) {
    context->save_for_backward({cosine, sine});
    return rotate_all(x, cosine, sine, 1.0f);
  }
  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const variable_list saved = context->get_saved_variables();
    return {rotate_all(upstream[0], saved[0], saved[1], -1.0f), Tensor(), Tensor()};
  }
};

[[gnu::always_inline]] inline void load(const float* from, std::int64_t count, Lanes& to) {
  to = Lanes{};
  if (count >= lane_count) {
    to = *reinterpret_cast<const Lanes*>(from);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
  }
}

using HalfLanes = std::uint16_t __attribute__((vector_size(32), aligned(2), may_alias));

/// bfloat16 is the upper half of a float.
[[gnu::always_inline]] inline void load(const at::BFloat16* from, std::int64_t count, Lanes& to) {
  IntegerLanes bits = {};
  if (count >= lane_count) {
    bits = __builtin_convertvector(*reinterpret_cast<const HalfLanes*>(from), IntegerLanes);
  } else {
    for (std::int64_t i = 0; i < count; ++i) bits[i] = from[i].x;
  }
  bits <<= 16;
  to = reinterpret_cast<const Lanes&>(bits);
}

[[gnu::always_inline]] inline void store(const Lanes& from, std::int64_t count, float* to) {
  if (count >= lane_count) {
    *reinterpret_cast<Lanes*>(to) = from;
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i] = from[i];
  }
}

/// Rounds to the nearest, ties to even.
[[gnu::always_inline]] inline void store(const Lanes& from, std::int64_t count, at::BFloat16* to) {
  const IntegerLanes bits = reinterpret_cast<const IntegerLanes&>(from);
  const IntegerLanes rounded = ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16) & 0xffff;
  if (count >= lane_count) {
    *reinterpret_cast<HalfLanes*>(to) = __builtin_convertvector(rounded, HalfLanes);
  } else {
    for (std::int64_t i = 0; i < count; ++i) to[i].x = static_cast<std::uint16_t>(rounded[i]);
  }
}

/// 1 / (1 + exp(−x)), by way of exp(−|x|), which cannot overflow.
[[gnu::always_inline]] inline void sigmoid(const Lanes& x, Lanes& y) {
  const Lanes zero = {};
  Lanes e = x > zero ? -x : x;
  exponentiate(e);
  y = (x > zero ? zero + 1.0f : e) / (1.0f + e);
}

template <typename Number>
[[gnu::always_inline]] inline void swiglu_values(const Number* gate, const Number* up, Number* y, std::int64_t size) {
  for (std::int64_t i = 0; i < size; i += lane_count) {
    Lanes g, u, s;
    load(gate + i, size - i, g);
    load(up + i, size - i, u);
    sigmoid(g, s);
    store(g * s * u, size - i, y + i);
  }
}

template <typename Number>
[[gnu::always_inline]] inline void swiglu_gradients(const Number* gate, const Number* up, const Number* dy,
                                                    Number* dgate, Number* dup, std::int64_t size) {
  for (std::int64_t i = 0; i < size; i += lane_count) {
    Lanes g, u, d, s;
    load(gate + i, size - i, g);
    load(up + i, size - i, u);
    load(dy + i, size - i, d);
    sigmoid(g, s);
    store(d * g * s, size - i, dup + i);
    store(d * u * s * (1.0f + g * (1.0f - s)), size - i, dgate + i);
  }
}

// target_clones takes no templates.
RETORT_VECTORISED void swiglu_run(const float* gate, const float* up, float* y, std::int64_t size) {
  swiglu_values(gate, up, y, size);
}
RETORT_VECTORISED void swiglu_run(const at::BFloat16* gate, const at::BFloat16* up, at::BFloat16* y,
                                  std::int64_t size) {
  swiglu_values(gate, up, y, size);
}
RETORT_VECTORISED void swiglu_run_gradient(const float* gate, const float* up, const float* dy, float* dgate,
                                           float* dup, std::int64_t size) {
  swiglu_gradients(gate, up, dy, dgate, dup, size);
}
RETORT_VECTORISED void swiglu_run_gradient(const at::BFloat16* gate, const at::BFloat16* up, const at::BFloat16* dy,
                                           at::BFloat16* dgate, at::BFloat16* dup, std::int64_t size) {
  swiglu_gradients(gate, up, dy, dgate, dup, size);
}

/// body(first, count) for the values of every block of rows.
template <typename Body>
void for_runs(const Tensor& x, const Body& body) {
  const std::int64_t size = x.size(-1);
  for_blocks(x.numel() / size,
             [&](std::int64_t, std::int64_t begin, std::int64_t end) { body(begin * size, (end - begin) * size); });
}

template <typename Number>
Tensor swiglu_all(const Tensor& gate, const Tensor& up) {
  Tensor y = torch::empty_like(gate);
  const Number *g = gate.data_ptr<Number>(), *u = up.data_ptr<Number>();
  Number* out = y.data_ptr<Number>();
  for_runs(gate, [&](std::int64_t first, std::int64_t count) { swiglu_run(g + first, u + first, out + first, count); });
  return y;
}

template <typename Number>
variable_list swiglu_all_gradients(const Tensor& gate, const Tensor& up, const Tensor& dy) {
  Tensor dgate = torch::empty_like(gate), dup = torch::empty_like(gate);
  const Number *g = gate.data_ptr<Number>(), *u = up.data_ptr<Number>(), *d = dy.data_ptr<Number>();
  Number *gate_out = dgate.data_ptr<Number>(), *up_out = dup.data_ptr<Number>();
  for_runs(gate, [&](std::int64_t first, std::int64_t count) {
    swiglu_run_gradient(g + first, u + first, d + first, gate_out + first, up_out + first, count);
  });
  return {dgate, dup};
}

bool is_half(const Tensor& x) {
  return x.scalar_type() == torch::kBFloat16;
}

/// Saves its inputs only: the sigmoid is cheaper made again than kept.
struct SwiGlu : torch::autograd::Function<SwiGlu> {
  static Tensor forward(AutogradContext* context, const Tensor& gate_in, const Tensor& up_in) {
    const Tensor gate = gate_in.contiguous(), up = up_in.contiguous();
    context->save_for_backward({gate, up});
    return is_half(gate) ? swiglu_all<at::BFloat16>(gate, up) : swiglu_all<float>(gate, up);
  }
  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const variable_list saved = context->get_saved_variables();
    const Tensor gradient = upstream[0].contiguous();
    return is_half(saved[0]) ? swiglu_all_gradients<at::BFloat16>(saved[0], saved[1], gradient)
                             : swiglu_all_gradients<float>(saved[0], saved[1], gradient);
  }
};

}  // namespace

Tensor ref_rms_norm(const Tensor& x, const Tensor& weight, double epsilon) {
  return x * torch::rsqrt(x.square().mean(-1, true) + epsilon) * weight;
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double epsilon) {
  return fusable(x) ? RmsNorm::apply(x, weight, epsilon) : ref_rms_norm(x, weight, epsilon);
}

Tensor ref_rotate(const Tensor& x, const Tensor& cosine, const Tensor& sine) {
  const std::int64_t half = x.size(-1) / 2;
  const Tensor rotated = torch::cat({x.narrow(-1, half, half).neg(), x.narrow(-1, 0, half)}, -1);
  return x * cosine.unsqueeze(1) + rotated * sine.unsqueeze(1);
}

Tensor rotate(const Tensor& x, const Tensor& cosine, const Tensor& sine) {
  const Tensor wide = x.to(torch::kFloat32);
  return fusable(wide) ? Rotate::apply(wide, cosine.contiguous(), sine.contiguous()) : ref_rotate(wide, cosine, sine);
}

Tensor ref_swiglu(const Tensor& gate, const Tensor& up) {
  return torch::silu(gate) * up;
}

Tensor swiglu(const Tensor& gate, const Tensor& up) {
  const bool one_type =
      gate.scalar_type() == up.scalar_type() && (is_half(gate) || gate.scalar_type() == torch::kFloat32);
  return one_type && gate.is_cpu() && gate.numel() > 0 ? SwiGlu::apply(gate, up) : ref_swiglu(gate, up);
}

}  // namespace retort::train
