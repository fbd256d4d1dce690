// Optimisers against plain loops in double precision, and what they keep for a checkpoint.
#include "train/optimizer.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <map>

namespace retort::train {
namespace {

using torch::Tensor;
using Matrix = std::vector<std::vector<double>>;

constexpr double kRate = 0.02, kDecay = 0.1;

/// Two matrices, one of them an embedding, and a vector, with gradients that depend on the step alone.
struct Weights {
  Tensor hidden = begin({3, 5}, 1), embedding = begin({4, 2}, 2), norm = begin({6}, 3);

  static Tensor begin(std::vector<std::int64_t> shape, std::uint64_t seed) {
    auto generator = at::make_generator<at::CPUGeneratorImpl>(seed);
    return torch::empty(shape).normal_(0, 0.5, generator).set_requires_grad(true);
  }
  std::vector<std::pair<std::string, Tensor>> named() const {
    return {{"model.layers.0.mlp.up_proj.weight", hidden},
            {"model.embed_tokens.weight", embedding},
            {"model.norm.weight", norm}};
  }
  ParameterGroups groups() const { return ParameterGroups({{"decoder", named()}}); }
  void set_gradients(std::uint64_t step) const {
    std::uint64_t seed = 100 * step;
    for (const auto& [name, weight] : named()) {
      auto generator = at::make_generator<at::CPUGeneratorImpl>(++seed);
      Tensor(weight).mutable_grad() =
          torch::empty(weight.sizes()).normal_(0, 1.0 / static_cast<double>(step), generator);
    }
  }
};

TrainingOptions options_of(const std::string& optimizer) {
  TrainingOptions options;
  options.optimizer = optimizer;
  options.weight_decay = kDecay;
  return options;
}

Matrix rows_of(const Tensor& tensor) {
  const Tensor two = tensor.detach().to(torch::kFloat64).reshape({tensor.dim() == 2 ? tensor.size(0) : 1, -1});
  Matrix rows;
  for (std::int64_t i = 0; i < two.size(0); ++i) {
    rows.emplace_back();
    for (std::int64_t j = 0; j < two.size(1); ++j) rows.back().push_back(two[i][j].item<double>());
  }
  return rows;
}

Matrix times(const Matrix& a, const Matrix& b) {
  Matrix c(a.size(), std::vector<double>(b[0].size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < b[0].size(); ++j)
      for (std::size_t k = 0; k < b.size(); ++k) c[i][j] += a[i][k] * b[k][j];
  return c;
}

Matrix turned(const Matrix& a) {
  Matrix t(a[0].size(), std::vector<double>(a.size()));
  for (std::size_t i = 0; i < a.size(); ++i)
    for (std::size_t j = 0; j < a[0].size(); ++j) t[j][i] = a[i][j];
  return t;
}

double mean_square(const Matrix& a) {
  double sum = 0;
  for (const auto& row : a)
    for (const double x : row) sum += x * x;
  return sum / static_cast<double>(a.size() * a[0].size());
}

void expect_near(const Matrix& expected, const Tensor& found, double tolerance, const std::string& what) {
  const Matrix rows = rows_of(found);
  for (std::size_t i = 0; i < rows.size(); ++i)
    for (std::size_t j = 0; j < rows[i].size(); ++j) EXPECT_NEAR(expected[i][j], rows[i][j], tolerance) << what;
}

/// AdamW as the paper's algorithm 2 writes it.
struct PlainAdamW {
  Matrix weight, mean, square;
  double decay;
  int steps = 0;
  PlainAdamW(const Tensor& w, double lambda) : weight(rows_of(w)), decay(lambda) {
    mean = square = Matrix(weight.size(), std::vector<double>(weight[0].size()));
  }
  void step(const Matrix& gradient) {
    ++steps;
    for (std::size_t i = 0; i < weight.size(); ++i)
      for (std::size_t j = 0; j < weight[i].size(); ++j) {
        mean[i][j] = 0.9 * mean[i][j] + 0.1 * gradient[i][j];
        square[i][j] = 0.95 * square[i][j] + 0.05 * gradient[i][j] * gradient[i][j];
        const double m = mean[i][j] / (1 - std::pow(0.9, steps)), v = square[i][j] / (1 - std::pow(0.95, steps));
        weight[i][j] -= kRate * decay * weight[i][j];
        weight[i][j] -= kRate * m / (std::sqrt(v) + 1e-8);
      }
  }
};

struct PlainMuon {
  Matrix weight, mean;
  explicit PlainMuon(const Tensor& w) : weight(rows_of(w)) {
    mean = Matrix(weight.size(), std::vector<double>(weight[0].size()));
  }
  void step(const Matrix& gradient) {
    Matrix x = gradient;
    double square = 0;
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x[i].size(); ++j) {
        mean[i][j] = 0.95 * mean[i][j] + 0.05 * gradient[i][j];
        x[i][j] = 0.05 * gradient[i][j] + 0.95 * mean[i][j];
        square += x[i][j] * x[i][j];
      }
    for (auto& row : x)
      for (double& value : row) value /= std::sqrt(square);
    for (int s = 0; s < 5; ++s) {
      const Matrix product = times(x, turned(x)), twice = times(product, product);
      const Matrix once = times(product, x), two = times(twice, x);
      for (std::size_t i = 0; i < x.size(); ++i)
        for (std::size_t j = 0; j < x[i].size(); ++j)
          x[i][j] = 3.4445 * x[i][j] - 4.7750 * once[i][j] + 2.0315 * two[i][j];
    }
    const double scale = 0.2 * std::sqrt(static_cast<double>(std::max(x.size(), x[0].size())));
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x[i].size(); ++j)
        weight[i][j] = weight[i][j] * (1 - kRate * kDecay) - kRate * scale * x[i][j];
  }
};

struct PlainAdafactor {
  Matrix weight, moments;  ///< moments of each element: of a vector
  std::vector<double> rows, columns;
  bool factored;
  double decay;
  int steps = 0;
  PlainAdafactor(const Tensor& w, double lambda) : weight(rows_of(w)), factored(w.dim() == 2), decay(lambda) {
    moments = Matrix(weight.size(), std::vector<double>(weight[0].size()));
    rows.resize(weight.size());
    columns.resize(weight[0].size());
  }
  void step(const Matrix& g) {
    ++steps;
    const double beta = 1 - std::pow(steps, -0.8), eps = std::pow(2.0, -23);
    const double rate = std::max(1e-3, std::sqrt(mean_square(weight))) * std::min(kRate, 1 / std::sqrt(steps));
    const double height = static_cast<double>(g.size()), width = static_cast<double>(g[0].size());
    double mean_row = 0;
    for (double& row : rows) row *= beta;
    for (double& column : columns) column *= beta;
    for (std::size_t i = 0; i < g.size(); ++i)
      for (std::size_t j = 0; j < g[i].size(); ++j) {
        rows[i] += (1 - beta) * g[i][j] * g[i][j] / width;
        columns[j] += (1 - beta) * g[i][j] * g[i][j] / height;
        moments[i][j] = beta * moments[i][j] + (1 - beta) * g[i][j] * g[i][j];
      }
    for (const double row : rows) mean_row += row / height;
    Matrix update = g;
    for (std::size_t i = 0; i < g.size(); ++i)
      for (std::size_t j = 0; j < g[i].size(); ++j) {
        const double v = factored ? rows[i] * columns[j] / std::max(mean_row, eps) : moments[i][j];
        update[i][j] /= std::sqrt(std::max(v, eps * eps));
      }
    const double clip = std::max(1.0, std::sqrt(mean_square(update)));
    for (std::size_t i = 0; i < g.size(); ++i)
      for (std::size_t j = 0; j < g[i].size(); ++j)
        weight[i][j] = weight[i][j] * (1 - kRate * decay) - rate / clip * update[i][j];
  }
};

/// Runs `plain` and the optimiser on one weight for six steps.
template <typename Plain>
void expect_follows(const std::string& optimizer, const Weights& weights, const Tensor& watched, Plain plain) {
  const auto made = make_optimizer(weights.groups(), options_of(optimizer));
  for (std::uint64_t step = 1; step <= 6; ++step) {
    weights.set_gradients(step);
    plain.step(rows_of(watched.grad()));
    made->step(kRate);
    expect_near(plain.weight, watched, 3e-6, optimizer + " step " + std::to_string(step));
  }
}

}  // namespace

TEST(Optimizer, AdamWFollowsItsPaper) {
  const Weights first, second;
  expect_follows("adamw", first, first.hidden, PlainAdamW(first.hidden, kDecay));
  expect_follows("adamw", second, second.norm, PlainAdamW(second.norm, 0));
}

TEST(Optimizer, MuonFollowsItsDefinitionAndLeavesTheRestToAdamW) {
  const Weights first, second, third;
  expect_follows("muon", first, first.hidden, PlainMuon(first.hidden));
  expect_follows("muon", second, second.embedding, PlainAdamW(second.embedding, kDecay));
  expect_follows("muon", third, third.norm, PlainAdamW(third.norm, 0));
}

TEST(Optimizer, AdafactorFollowsItsPaper) {
  const Weights first, second;
  expect_follows("adafactor", first, first.hidden, PlainAdafactor(first.hidden, kDecay));
  expect_follows("adafactor", second, second.norm, PlainAdafactor(second.norm, 0));
}

TEST(Optimizer, OrthogonalisedMatricesHaveSingularValuesNearOne) {
  for (const auto& shape : {std::vector<std::int64_t>{24, 16}, std::vector<std::int64_t>{16, 24}}) {
    const Tensor matrix = Weights::begin(shape, 7).detach();
    const Tensor values = torch::linalg_svdvals(orthogonalised(matrix));
    EXPECT_EQ(orthogonalised(matrix).sizes().vec(), shape);
    EXPECT_GT(values.min().item<double>(), 0.3);  // Jordan's coefficients aim at [0.7, 1.2] and converge nowhere
    EXPECT_LT(values.max().item<double>(), 1.3);
  }
}

TEST(Optimizer, GoesOnFromItsState) {
  for (const char* name : {"adamw", "muon", "adafactor"}) {
    const Weights whole, broken;
    const auto one = make_optimizer(whole.groups(), options_of(name));
    auto other = make_optimizer(broken.groups(), options_of(name));
    for (std::uint64_t step = 1; step <= 5; ++step) {
      whole.set_gradients(step);
      one->step(kRate);
      if (step == 3) {
        std::map<std::string, Tensor> stored;
        for (const auto& [key, tensor] : other->state()) stored[key] = tensor.clone();
        other = make_optimizer(broken.groups(), options_of(name));
        other->restore([&](const std::string& key, Tensor into) {
          if (!stored.contains(key)) return false;
          EXPECT_EQ(stored[key].sizes(), into.sizes()) << key;
          into.copy_(stored[key]);
          return true;
        });
      }
      broken.set_gradients(step);
      other->step(kRate);
    }
    for (const auto& [a, b] : {std::pair{whole.hidden, broken.hidden}, std::pair{whole.embedding, broken.embedding},
                               std::pair{whole.norm, broken.norm}})
      EXPECT_TRUE(torch::equal(a, b)) << name;
  }
}

TEST(Optimizer, LeavesWeightsWithoutGradientsAlone) {
  for (const char* name : {"adamw", "muon", "adafactor"}) {
    const Weights weights;
    const Tensor before = weights.hidden.detach().clone();
    Tensor(weights.norm).mutable_grad() = torch::ones({6});
    const auto made = make_optimizer(weights.groups(), options_of(name));
    made->step(kRate);
    EXPECT_TRUE(torch::equal(weights.hidden, before)) << name;
    for (const auto& [key, tensor] : made->state()) EXPECT_EQ(key.find("up_proj"), std::string::npos) << key;
  }
}

TEST(Optimizer, RefusesAnUnknownName) {
  const Weights weights;
  EXPECT_THROW(make_optimizer(weights.groups(), options_of("lion")), std::invalid_argument);
}

}  // namespace retort::train
