#include "train/site_statistics.h"

#include <algorithm>

namespace retort::train {
namespace {

using torch::Tensor;
constexpr std::int64_t sample_bytes = 64LL << 20;

}  // namespace

SiteStatistics::SiteStatistics(std::int64_t columns, std::uint64_t signals) : columns_(columns), signals_(signals) {
  const auto wants = [&](std::uint64_t bit) { return (signals & bit) != 0; };
  if (wants(RETORT_SIGNAL_INPUT_ABSOLUTE_MEAN)) absolute_sum_ = torch::zeros({columns}, torch::kFloat64);
  if (wants(RETORT_SIGNAL_INPUT_ABSOLUTE_MAX)) absolute_max_ = torch::zeros({columns}, torch::kFloat64);
  if (wants(RETORT_SIGNAL_INPUT_SQUARE_SUM)) square_sum_ = torch::zeros({columns}, torch::kFloat64);
  if (wants(RETORT_SIGNAL_INPUT_HESSIAN)) products_ = torch::zeros({columns, columns}, torch::kFloat32);
}

void SiteStatistics::add(const Tensor& rows) {
  if (rows.size(0) == 0) return;
  if (absolute_sum_.defined()) absolute_sum_ += rows.abs().sum(0, false, torch::kFloat64);
  if (absolute_max_.defined()) absolute_max_ = torch::maximum(absolute_max_, rows.abs().amax(0).to(torch::kFloat64));
  if (square_sum_.defined()) square_sum_ += rows.square().sum(0, false, torch::kFloat64);
  if (products_.defined()) products_.addmm_(rows.t(), rows);
  if ((signals_ & RETORT_SIGNAL_INPUT_SAMPLES) != 0) {
    const auto most = std::max<std::int64_t>(1, sample_bytes / (columns_ * static_cast<std::int64_t>(sizeof(float))));
    const std::int64_t taken = std::min(rows.size(0), most - sample_rows_);
    if (taken > 0) samples_.push_back(rows.narrow(0, 0, taken).clone());
    sample_rows_ += std::max<std::int64_t>(0, taken);
  }
  rows_ += rows.size(0);
}

Tensor SiteStatistics::hessian() const {
  return products_ * (2.0 / static_cast<double>(std::max<std::int64_t>(1, rows_)));
}

retort_site_statistics SiteStatistics::abi() {
  lent_.clear();
  const auto lend = [&](const Tensor& tensor) { return lent_.emplace_back(tensor).address(); };
  const auto count = static_cast<double>(std::max<std::int64_t>(1, rows_));
  retort_site_statistics seen{};
  seen.struct_size = sizeof seen;
  seen.rows = rows_;
  if (absolute_sum_.defined()) seen.absolute_mean = lend((absolute_sum_ / count).to(torch::kFloat32));
  if (absolute_max_.defined()) seen.absolute_max = lend(absolute_max_.to(torch::kFloat32));
  if (square_sum_.defined()) seen.square_sum = lend(square_sum_.to(torch::kFloat32));
  if (products_.defined()) seen.hessian = lend(hessian());
  if (!samples_.empty()) {
    samples_ = {torch::cat(samples_)};
    seen.samples = lend(samples_.front());
  }
  return seen;
}

}  // namespace retort::train
