#include "host/plugin/conformance_site.h"

#include <algorithm>
#include <cmath>

namespace retort::host {
namespace {

constexpr std::int64_t head_dim = 32, shared_heads = 2, output_rows = 8;

struct Named {
  const char* site;
  std::vector<std::string> modules;
};

const Named& names_of(std::uint32_t producer) {
  static const Named attention{
      "model.layers.0.self_attn.qkv",
      {"model.layers.0.self_attn.q_proj", "model.layers.0.self_attn.k_proj", "model.layers.0.self_attn.v_proj"}};
  static const Named output{"model.layers.0.self_attn.o", {"model.layers.0.self_attn.o_proj"}};
  static const Named down{"model.layers.0.mlp.down", {"model.layers.0.mlp.down_proj"}};
  return producer == RETORT_PRODUCER_NORM ? attention : producer == RETORT_PRODUCER_VALUE ? output : down;
}

}  // namespace

SeededSite::SeededSite(std::uint32_t producer, std::int64_t columns)
    : producer_(producer),
      columns_(columns),
      samples_(2 * columns, columns),
      mean_(columns),
      maximum_(columns),
      squares_(columns),
      hessian_(columns, columns) {
  SeededNumbers numbers(20250415 + producer);
  for (std::size_t i = 0; i < names_of(producer).modules.size(); ++i) {
    weights_.push_back(std::make_unique<OwnedTensor<float>>(output_rows, columns));
    weights_.back()->fill([&] { return static_cast<float>(0.05 * numbers.normal()); });
  }
  for (std::int64_t i = 0; i < columns; ++i) weights_.back()->at(output_rows - 1, i) = 0;
  for (std::int64_t s = 0; s < samples_.rows(); ++s) {
    double before = 0;
    for (std::int64_t i = 0; i < columns; ++i) {
      before = 0.6 * before + 0.8 * numbers.normal();  // neighbours correlate by 0.6, every channel has deviation 1
      samples_.at(s, i) = static_cast<float>(i % 41 == 7 ? 6 * before : before);
    }
    samples_.at(s, 3) = 0;
  }
  measure_columns();
}

void SeededSite::measure_columns() {
  const auto rows = static_cast<double>(samples_.rows());
  for (std::int64_t i = 0; i < columns_; ++i) {
    double sum = 0, most = 0, squares = 0;
    for (std::int64_t s = 0; s < samples_.rows(); ++s) {
      const double x = samples_.at(s, i);
      sum += std::abs(x);
      most = std::max(most, std::abs(x));
      squares += x * x;
    }
    mean_.at(i) = static_cast<float>(sum / rows);
    maximum_.at(i) = static_cast<float>(most);
    squares_.at(i) = static_cast<float>(squares);
  }
  has_products_ = false;
}

void SeededSite::measure_products() {
  const auto rows = static_cast<double>(samples_.rows());
  std::vector<double> products(static_cast<std::size_t>(columns_ * columns_));
  for (std::int64_t s = 0; s < samples_.rows(); ++s)
    for (std::int64_t i = 0; i < columns_; ++i) {
      const double x = samples_.at(s, i);
      double* row = products.data() + i * columns_;
      for (std::int64_t j = 0; j < columns_; ++j) row[j] += x * samples_.at(s, j);
    }
  for (std::int64_t i = 0; i < columns_; ++i)
    for (std::int64_t j = 0; j < columns_; ++j)
      hessian_.at(i, j) = static_cast<float>(2 * products[static_cast<std::size_t>(i * columns_ + j)] / rows);
  has_products_ = true;
}

SiteView seeded_shape(std::uint32_t producer, std::int64_t columns) {
  SiteView view;
  view.name = names_of(producer).site;
  view.producer = producer;
  view.columns = columns;
  if (producer == RETORT_PRODUCER_VALUE) {
    view.channel_group = head_dim;
    view.shared_heads = shared_heads;
  }
  for (const std::string& name : names_of(producer).modules)
    view.modules.push_back({name, output_rows, columns, nullptr});
  return view;
}

SiteView SeededSite::view(std::uint64_t signals) {
  SiteView view = shape();
  for (std::size_t i = 0; i < weights_.size(); ++i) view.modules[i].weight = weights_[i]->input();
  if (signals == 0) return view;
  if ((signals & RETORT_SIGNAL_INPUT_HESSIAN) != 0 && !has_products_) measure_products();
  const auto if_wanted = [&](std::uint64_t signal, OwnedTensor<float>& tensor) {
    return (signals & signal) != 0 ? tensor.input() : nullptr;
  };
  retort_site_statistics seen{};
  seen.struct_size = sizeof seen;
  seen.rows = samples_.rows();
  seen.absolute_mean = if_wanted(RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN, mean_);
  seen.absolute_max = if_wanted(RETORT_SIGNAL_INPUT_ABSOLUTE_MAX, maximum_);
  seen.square_sum = if_wanted(RETORT_SIGNAL_INPUT_SQUARE_SUM, squares_);
  seen.hessian = if_wanted(RETORT_SIGNAL_INPUT_HESSIAN, hessian_);
  seen.samples = if_wanted(RETORT_SIGNAL_INPUT_SAMPLES, samples_);
  view.statistics = seen;
  return view;
}

void SeededSite::smooth(const OwnedTensor<float>& factors) {
  for (std::int64_t i = 0; i < columns_; ++i) {
    for (std::int64_t s = 0; s < samples_.rows(); ++s) samples_.at(s, i) /= factors.at(i);
    for (const auto& weight : weights_)
      for (std::int64_t o = 0; o < output_rows; ++o) weight->at(o, i) *= factors.at(i);
  }
  measure_columns();
}

double SeededSite::output_error(const std::vector<double>& error) const {
  double sum = 0;
  for (std::int64_t s = 0; s < samples_.rows(); ++s) {
    double output = 0;
    for (std::int64_t i = 0; i < columns_; ++i) output += error[static_cast<std::size_t>(i)] * samples_.at(s, i);
    sum += output * output;
  }
  return sum;
}

}  // namespace retort::host
