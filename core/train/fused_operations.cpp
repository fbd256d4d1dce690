#include "train/fused_operations.h"

#include <ATen/Parallel.h>

#include <cmath>

// Several versions of each loop, the widest that the CPU runs chosen at load.
#if defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define RETORT_VECTORISED __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define RETORT_VECTORISED
#endif

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

RETORT_VECTORISED void swiglu_row(const float* gate, const float* sigmoid, const float* up, float* y,
                                  std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) y[i] = gate[i] * sigmoid[i] * up[i];
}

RETORT_VECTORISED void swiglu_row_gradient(const float* gate, const float* sigmoid, const float* up, const float* g,
                                           float* dgate, float* dup, std::int64_t size) {
  for (std::int64_t i = 0; i < size; ++i) {
    const float s = sigmoid[i];
    dup[i] = g[i] * gate[i] * s;
    dgate[i] = g[i] * up[i] * s * (1.0f + gate[i] * (1.0f - s));
  }
}

struct SwiGlu : torch::autograd::Function<SwiGlu> {
  static Tensor forward(AutogradContext* context, const Tensor& gate_in, const Tensor& up_in) {
    const Tensor gate = gate_in.contiguous(), up = up_in.contiguous();
    const Tensor sigmoid = torch::sigmoid(gate);
    Tensor y = torch::empty_like(gate);
    const std::int64_t size = gate.size(-1);
    for_blocks(gate.numel() / size, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      const std::int64_t first = begin * size, count = (end - begin) * size;
      swiglu_row(gate.data_ptr<float>() + first, sigmoid.data_ptr<float>() + first, up.data_ptr<float>() + first,
                 y.data_ptr<float>() + first, count);
    });
    context->save_for_backward({gate, sigmoid, up});
    return y;
  }
  static variable_list backward(AutogradContext* context, variable_list upstream) {
    const variable_list saved = context->get_saved_variables();
    const Tensor gradient = upstream[0].contiguous();
    Tensor dgate = torch::empty_like(gradient), dup = torch::empty_like(gradient);
    const std::int64_t size = gradient.size(-1);
    for_blocks(gradient.numel() / size, [&](std::int64_t, std::int64_t begin, std::int64_t end) {
      const std::int64_t first = begin * size, count = (end - begin) * size;
      swiglu_row_gradient(saved[0].data_ptr<float>() + first, saved[1].data_ptr<float>() + first,
                          saved[2].data_ptr<float>() + first, gradient.data_ptr<float>() + first,
                          dgate.data_ptr<float>() + first, dup.data_ptr<float>() + first, count);
    });
    return {dgate, dup};
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
  return fusable(x) ? Rotate::apply(x, cosine.contiguous(), sine.contiguous()) : ref_rotate(x, cosine, sine);
}

Tensor ref_swiglu(const Tensor& gate, const Tensor& up) {
  return torch::silu(gate) * up;
}

Tensor swiglu(const Tensor& gate, const Tensor& up) {
  return fusable(gate) && fusable(up) ? SwiGlu::apply(gate, up) : ref_swiglu(gate, up);
}

}  // namespace retort::train
