// See storage.h.
#include "storage.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include "finite_weights.h"
#include "row_chunks.h"

namespace retort::quantize {

namespace {

bool read_integer(std::string_view text, std::int64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

Range range_of(const std::string& name) {
  if (name == "half_step") return Range::half_step;
  return name == "full" ? Range::full : Range::absolute_max;
}

}  // namespace

Storage::Storage(const StorageParameters& parameters) : parameters_(parameters) {
  for (const std::string& text : parameters.overrides) {
    const std::size_t equals = text.rfind('='), slash = text.find('/', equals == std::string::npos ? 0 : equals);
    std::int64_t bits = -1, group = 0;
    bool valid = equals != std::string::npos && equals > 0 &&
                 read_integer(std::string_view(text).substr(0, slash).substr(equals + 1), bits) && bits >= 0 &&
                 bits != 1 && bits <= 8;
    if (slash != std::string::npos)
      valid = valid && read_integer(std::string_view(text).substr(slash + 1), group) && group >= 0;
    else
      group = bits == 8 ? 0 : parameters.group_size;
    if (!valid)
      throw std::invalid_argument(
          "overrides: expected \"PATTERN=BITS\" or \"PATTERN=BITS/GROUP\" with 0 or 2 to 8 "
          "bits, as \"mlp.down=8\", found \"" +
          text + "\"");
    overrides_.push_back({text.substr(0, equals), static_cast<std::int32_t>(bits), group});
  }
}

QuantizeScheme Storage::scheme(const Site& site) const {
  QuantizeScheme scheme{static_cast<std::int32_t>(parameters_.bits), parameters_.symmetric, parameters_.group_size};
  for (const Override& entry : overrides_)
    if (site.name.find(entry.pattern) != std::string_view::npos) {
      scheme.bits = entry.bits;
      scheme.group_size = entry.group_size;
      scheme.symmetric = parameters_.symmetric || (entry.bits == 8 && entry.group_size == 0);
    }
  return scheme;
}

CodeGrid Storage::grid(const QuantizeScheme& scheme) const {
  return {scheme.bits,
          scheme.symmetric,
          scheme.group_size,
          range_of(parameters_.range),
          parameters_.scale_type == "bf16",
          parameters_.search_steps};
}

CodeWriter::CodeWriter(const SiteModule& module, const CodeGrid& grid, const QuantizeOutput& output)
    : module_(module), output_(output), symmetric_(grid.symmetric) {
  const std::int64_t rows = module.weight.rows(), columns = module.weight.columns();
  const auto refuse = [&](const std::string& what) {
    throw std::invalid_argument(std::string(module.name) + ": " + what);
  };
  if (rows == 0 || columns == 0) refuse("weight: missing or empty");
  if (grid.bits < 2 || grid.bits > 8) refuse("bits: expected 2 to 8, found " + std::to_string(grid.bits));
  const std::int64_t width = grid.width(columns);
  if (columns % width != 0)
    refuse("group_size: expected a divisor of the weight's " + std::to_string(columns) + " columns, found " +
           std::to_string(width) + "; use 0 for one scale a row");
  try {
    if (symmetric_)
      expect_shape(output.codes, "codes (int8)", rows, columns);
    else
      expect_shape(output.codes_unsigned, "codes (uint8)", rows, columns);
    expect_shape(output.scales, "scales", rows, columns / width);
    if (!symmetric_ || output.zero_points) expect_shape(output.zero_points, "zero_points", rows, columns / width);
    compression::expect_finite(module.weight);
  } catch (const std::invalid_argument& error) {
    refuse(error.what());
  }
  squares_ = largest_error_ = largest_weight_ = std::vector<double>(static_cast<std::size_t>(rows), 0.0);
}

std::span<const float> CodeWriter::weights(std::int64_t row) const {
  return {module_.weight.row(row), static_cast<std::size_t>(module_.weight.columns())};
}

void CodeWriter::write(std::int64_t row, const CodedRow& coded) {
  const std::span<const float> original = weights(row);
  const std::size_t width = original.size() / coded.scales.size();
  double squares = 0, error_max = 0, weight_max = 0;
  for (std::size_t q = 0; q < coded.scales.size(); ++q) {
    const auto column = static_cast<std::int64_t>(q);
    output_.scales(row, column) = static_cast<float>(coded.scales[q].scale);
    if (output_.zero_points) output_.zero_points(row, column) = coded.scales[q].zero_point;
  }
  for (std::size_t i = 0; i < original.size(); ++i) {
    const std::int32_t code = coded.codes[i];
    if (symmetric_)
      output_.codes(row, static_cast<std::int64_t>(i)) = static_cast<std::int8_t>(code);
    else
      output_.codes_unsigned(row, static_cast<std::int64_t>(i)) = static_cast<std::uint8_t>(code);
    const double weight = static_cast<double>(original[i]);
    const double error = std::abs(weight - restored(code, coded.scales[i / width]));
    squares += error * error;
    error_max = std::max(error_max, error);
    weight_max = std::max(weight_max, std::abs(weight));
  }
  const auto index = static_cast<std::size_t>(row);
  squares_[index] = squares;
  largest_error_[index] = error_max;
  largest_weight_[index] = weight_max;
}

Metrics CodeWriter::metrics() const {
  double squares = 0;
  for (const double row : squares_) squares += row;
  const double error = *std::max_element(largest_error_.begin(), largest_error_.end());
  const double weight = *std::max_element(largest_weight_.begin(), largest_weight_.end());
  const double count = static_cast<double>(module_.weight.rows()) * static_cast<double>(module_.weight.columns());
  return {{"mean_squared_error", squares / count}, {"relative_max_error", weight > 0 ? error / weight : 0.0}};
}

Metrics round_module(const SiteModule& module, const CodeGrid& grid, const QuantizeOutput& output,
                     std::span<const float> importance) {
  CodeWriter writer(module, grid, output);
  compression::for_row_chunks(module.weight.rows(), 64, [&](std::int64_t begin, std::int64_t end) {
    throw_if_stopped();
    CodedRow row(module.weight.columns(), grid);
    for (std::int64_t o = begin; o < end; ++o) {
      round_row(writer.weights(o), grid, importance, row);
      writer.write(o, row);
    }
  });
  return writer.metrics();
}

bool reads_single_rows(const Site& site) {
  return site.producer == RETORT_PRODUCER_NONE && !site.statistics.hessian && !site.statistics.square_sum;
}

SharedChannels shared_channels(const Site& site) {
  if (site.producer != RETORT_PRODUCER_VALUE) return {};
  const std::int64_t group = site.channel_group, heads = site.shared_heads;
  if (group < 1 || heads < 1 || site.columns % (group * heads) != 0)
    throw std::invalid_argument("channel_group, shared_heads: expected whole kv heads in " +
                                std::to_string(site.columns) + " columns, found " + std::to_string(group) + " and " +
                                std::to_string(heads));
  return {group, heads};
}

std::vector<float> input_importance(const Site& site) {
  std::vector<float> importance;
  if (reads_single_rows(site)) return importance;
  try {
    expect_shape(site.statistics.square_sum, "square_sum", site.columns);
    if (site.statistics.rows < 1) throw std::invalid_argument("statistics: expected calibration rows, found none");
    for (std::int64_t i = 0; i < site.columns; ++i) {
      const float value = site.statistics.square_sum[i] / static_cast<float>(site.statistics.rows);
      if (!std::isfinite(value) || value < 0)
        throw std::invalid_argument("square_sum of column " + std::to_string(i) +
                                    ": expected a finite number that is not negative, found " + std::to_string(value));
      importance.push_back(value);
    }
  } catch (const std::invalid_argument& error) {
    throw std::invalid_argument(std::string(site.name) + ": " + error.what());
  }
  return importance;
}

}  // namespace retort::quantize
