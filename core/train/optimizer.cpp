#include "train/optimizer.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "train/data_parallel.h"

namespace retort::train {
namespace {

using torch::Tensor;

/// A weight with what its group says about it.
struct Optimised {
  std::string name;  ///< "GROUP/TENSOR"
  Tensor weight;
  double decay = 0, rate_scale = 1;
};

std::vector<Optimised> optimised_tensors(const ParameterGroups& groups, const TrainingOptions& options) {
  std::vector<Optimised> all;
  for (const ParameterGroup& group : groups.all())
    for (const auto& [name, weight] : group.tensors)
      all.push_back({group.name + "/" + name, weight,
                     weight.dim() > 1 && group.weight_decay ? options.weight_decay : 0.0, group.learning_rate_scale});
  return all;
}

/// LibTorch's fused kernel: one pass over weight, gradient and moments, where its operations one by one take fourteen.
class AdamW : public Optimizer {
 public:
  explicit AdamW(std::vector<Optimised> tensors) : tensors_(std::move(tensors)), moments_(tensors_.size()) {}

  void step(double rate) override {
    const torch::NoGradGuard no_grad;
    const OperationThreads all(threads_);  // the kernel's parts begin on cache lines: the bits do not depend on them
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const Optimised& one = tensors_[i];
      if (!one.weight.grad().defined()) continue;
      Moments& moments = moments_[i];
      if (moments.steps == 0) {
        moments.mean = torch::zeros_like(one.weight);
        moments.square = torch::zeros_like(one.weight);
      }
      ++moments.steps;
      constexpr double beta1 = 0.9, beta2 = 0.95, epsilon = 1e-8;
      constexpr bool amsgrad = false, maximize = false;
      const Tensor steps = torch::tensor(static_cast<float>(moments.steps)).to(one.weight.device());
      at::_fused_adamw_({one.weight}, {one.weight.grad().contiguous()}, {moments.mean}, {moments.square}, {}, {steps},
                        rate * one.rate_scale, beta1, beta2, one.decay, epsilon, amsgrad, maximize);
    }
  }

  std::vector<std::pair<std::string, Tensor>> state() const override {
    std::vector<std::pair<std::string, Tensor>> all;
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      if (moments_[i].steps == 0) continue;  // a weight that has had no gradient yet
      all.emplace_back("adam.steps/" + tensors_[i].name, torch::tensor(moments_[i].steps));
      all.emplace_back("adam.mean/" + tensors_[i].name, moments_[i].mean);
      all.emplace_back("adam.square/" + tensors_[i].name, moments_[i].square);
    }
    return all;
  }

  void restore(const Read& read) override {
    for (std::size_t i = 0; i < tensors_.size(); ++i) {
      const Optimised& one = tensors_[i];
      const Tensor steps = torch::zeros({}, torch::kInt64);
      if (!read("adam.steps/" + one.name, steps)) continue;
      Moments& moments = moments_[i];
      moments.mean = torch::empty_like(one.weight.detach());
      moments.square = torch::empty_like(one.weight.detach());
      read("adam.mean/" + one.name, moments.mean);
      read("adam.square/" + one.name, moments.square);
      moments.steps = steps.item<std::int64_t>();
    }
  }

 private:
  struct Moments {
    Tensor mean, square;
    std::int64_t steps = 0;  ///< 0: no gradient yet
  };
  std::vector<Optimised> tensors_;
  std::vector<Moments> moments_;  ///< one a tensor
  int threads_ = at::get_num_threads();
};

/// Whether Muon is meant for it: a matrix between hidden states.
bool is_hidden_matrix(const Optimised& one) {
  return one.weight.dim() == 2 && one.name.starts_with("decoder/") &&
         one.name.find("embed_tokens") == std::string::npos && one.name.find("lm_head") == std::string::npos;
}

class Muon : public Optimizer {
 public:
  explicit Muon(const std::vector<Optimised>& tensors) : others_(others_of(tensors)) {
    for (const Optimised& one : tensors)
      if (is_hidden_matrix(one)) matrices_.push_back({one, {}});
  }

  void step(double rate) override {
    torch::NoGradGuard no_grad;
    constexpr double momentum = 0.95, rms_of_adamw = 0.2;
    for (auto& [one, mean] : matrices_) {
      const Tensor gradient = one.weight.grad();
      if (!gradient.defined()) continue;
      if (!mean.defined()) mean = torch::zeros_like(one.weight);
      mean.lerp_(gradient, 1 - momentum);
      const Tensor update = orthogonalised(gradient.lerp(mean, momentum));
      const double own_rate = rate * one.rate_scale;
      one.weight.mul_(1 - own_rate * one.decay);
      const auto longest = static_cast<double>(std::max(one.weight.size(0), one.weight.size(1)));
      one.weight.add_(update, -own_rate * rms_of_adamw * std::sqrt(longest));
    }
    others_.step(rate);
  }

  std::vector<std::pair<std::string, Tensor>> state() const override {
    auto all = others_.state();
    for (const auto& [one, mean] : matrices_)
      if (mean.defined()) all.emplace_back("muon.mean/" + one.name, mean);
    return all;
  }

  void restore(const Read& read) override {
    others_.restore(read);
    for (auto& [one, mean] : matrices_) {
      Tensor stored = torch::empty_like(one.weight, one.weight.options().requires_grad(false));
      if (read("muon.mean/" + one.name, stored)) mean = stored;
    }
  }

 private:
  struct Matrix {
    Optimised one;
    Tensor mean;  ///< M
  };
  static std::vector<Optimised> others_of(const std::vector<Optimised>& tensors) {
    std::vector<Optimised> others;
    for (const Optimised& one : tensors)
      if (!is_hidden_matrix(one)) others.push_back(one);
    return others;
  }
  std::vector<Matrix> matrices_;
  AdamW others_;
};

double root_mean_square(const Tensor& x) {
  return x.norm().item<double>() / std::sqrt(static_cast<double>(x.numel()));
}

class Adafactor : public Optimizer {
 public:
  explicit Adafactor(const std::vector<Optimised>& tensors) {
    for (const Optimised& one : tensors) weights_.push_back({one, {}, {}, 0});
  }

  void step(double rate) override {
    torch::NoGradGuard no_grad;
    for (Weight& weight : weights_)
      if (weight.one.weight.grad().defined()) update(weight, rate * weight.one.rate_scale);
  }

  std::vector<std::pair<std::string, Tensor>> state() const override {
    std::vector<std::pair<std::string, Tensor>> all;
    for (const Weight& weight : weights_) {
      if (weight.steps == 0) continue;
      all.emplace_back("adafactor.steps/" + weight.one.name, torch::tensor(weight.steps));
      all.emplace_back("adafactor.rows/" + weight.one.name, weight.rows);
      if (weight.columns.defined()) all.emplace_back("adafactor.columns/" + weight.one.name, weight.columns);
    }
    return all;
  }

  void restore(const Read& read) override {
    for (Weight& weight : weights_) {
      const Tensor steps = torch::zeros({}, torch::kInt64);
      if (!read("adafactor.steps/" + weight.one.name, steps)) continue;
      begin(weight);
      weight.steps = steps.item<std::int64_t>();
      read("adafactor.rows/" + weight.one.name, weight.rows);
      if (weight.columns.defined()) read("adafactor.columns/" + weight.one.name, weight.columns);
    }
  }

 private:
  struct Weight {
    Optimised one;
    Tensor rows;     ///< [O,1] mean squares of a matrix's rows; of another weight all its squares
    Tensor columns;  ///< [1,I]; undefined where it is no matrix
    std::int64_t steps = 0;
  };

  static void begin(Weight& weight) {
    const Tensor& w = weight.one.weight;
    const auto options = w.options().requires_grad(false);
    if (w.dim() == 2) {
      weight.rows = torch::zeros({w.size(0), 1}, options);
      weight.columns = torch::zeros({1, w.size(1)}, options);
    } else {
      weight.rows = torch::zeros_like(w, options);
    }
  }

  static void update(Weight& weight, double rate) {
    constexpr double least_rms = 1e-3, decay_power = -0.8, most_update = 1;
    constexpr double epsilon = std::numeric_limits<float>::epsilon();
    if (weight.steps == 0) begin(weight);
    const auto now = static_cast<double>(++weight.steps);
    const double fresh = std::pow(now, decay_power);  // 1 − β₂
    Tensor w = weight.one.weight;
    const Tensor gradient = w.grad(), squares = gradient.square();
    const double step = std::max(least_rms, root_mean_square(w)) * std::min(rate, 1 / std::sqrt(now));
    w.mul_(1 - rate * weight.one.decay);
    Tensor moments;
    if (weight.columns.defined()) {
      weight.rows.lerp_(squares.mean(1, true), fresh);
      weight.columns.lerp_(squares.mean(0, true), fresh);
      moments = weight.rows.matmul(weight.columns).div_(weight.rows.mean(0, true).clamp_min(epsilon));
    } else {
      weight.rows.lerp_(squares, fresh);
      moments = weight.rows;
    }
    const Tensor change = moments.clamp_min(epsilon * epsilon).rsqrt_().mul_(gradient);
    w.add_(change, -step / std::max(1.0, root_mean_square(change) / most_update));
  }

  std::vector<Weight> weights_;
};

}  // namespace

Tensor orthogonalised(const Tensor& gradient) {
  constexpr double a = 3.4445, b = -4.7750, c = 2.0315, least_norm = 1e-7;
  constexpr int steps = 5;
  const bool tall = gradient.size(0) > gradient.size(1);
  Tensor x = tall ? gradient.t() : gradient;
  x = x / x.norm().clamp_min(least_norm);
  for (int i = 0; i < steps; ++i) {
    const Tensor product = x.matmul(x.t());
    x = a * x + (b * product + c * product.matmul(product)).matmul(x);
  }
  return tall ? x.t() : x;
}

std::unique_ptr<Optimizer> make_optimizer(const ParameterGroups& groups, const TrainingOptions& options) {
  std::vector<Optimised> tensors = optimised_tensors(groups, options);
  if (options.optimizer == "adamw") return std::make_unique<AdamW>(std::move(tensors));
  if (options.optimizer == "muon") return std::make_unique<Muon>(tensors);
  if (options.optimizer == "adafactor") return std::make_unique<Adafactor>(tensors);
  throw std::invalid_argument("optimizer: expected \"adamw\", \"muon\" or \"adafactor\", found \"" + options.optimizer +
                              "\"");
}

}  // namespace retort::train
