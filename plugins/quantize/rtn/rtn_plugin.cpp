// quantize.rtn: matrices and parameters around rtn.h. Needs no calibration and leaves activations alone.
#include <algorithm>
#include <cmath>
#include <retort/plugin.hpp>
#include <retort/quantizer.hpp>
#include <stdexcept>
#include <string>
#include <string_view>

#include "rtn.h"

namespace {

class RoundToNearest : public retort::Quantizer {
 public:
  struct Params {
    std::int64_t bits = 8;
    bool symmetric = true;
    std::int64_t group_size = 0;
    std::string scale_type = "bf16";
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("bits", &Params::bits)
        .at_least(2)
        .at_most(8)
        .unit("bit")
        .doc("bits of a code")
        .boolean("symmetric", &Params::symmetric)
        .doc("zero points are all 0 and the range is that of the largest magnitude; false: range of minimum to maximum")
        .integer("group_size", &Params::group_size)
        .at_least(0)
        .unit("column")
        .doc("input columns that share a scale, a divisor of the weight's columns; 0: one scale a row")
        .string("scale_type", &Params::scale_type)
        .one_of({"bf16", "f32"})
        .doc(
            "what symmetric groups' scales are rounded to before codes are chosen; bf16 is what most engines write and "
            "takes half the memory; one scale a row stays f32");
  }

  explicit RoundToNearest(const Params& params) : params_(params) {}

  retort::QuantizeScheme scheme(const retort::Site& site) override {
    check_group(site.name, site.columns);
    return {static_cast<std::int32_t>(params_.bits), params_.symmetric, params_.group_size};
  }

  retort::Metrics quantize(const retort::Site& site, std::size_t module, const retort::QuantizeScheme& /*scheme*/,
                           const retort::QuantizeOutput& output) override {
    const retort::SiteModule& input = site.modules.at(module);
    const std::int64_t rows = input.weight.rows(), columns = input.weight.columns();
    const std::int64_t width = params_.group_size > 0 ? params_.group_size : columns;
    check_shapes(input, output, width);
    double squares = 0, largest_error = 0, largest_weight = 0;
    for (std::int64_t o = 0; o < rows; ++o)
      for (std::int64_t begin = 0; begin < columns; begin += width) {
        const std::span<const float> weights(input.weight.row(o) + begin, static_cast<std::size_t>(width));
        const retort::quantize::GroupScale group = scale_of(input, weights, o, begin);
        output.scales(o, begin / width) = static_cast<float>(group.scale);
        if (output.zero_points) output.zero_points(o, begin / width) = group.zero_point;
        for (std::int64_t i = 0; i < width; ++i) {
          const double weight = static_cast<double>(weights[static_cast<std::size_t>(i)]);
          const std::int32_t code = retort::quantize::code_of(weight, group, bits(), params_.symmetric);
          if (params_.symmetric)
            output.codes(o, begin + i) = static_cast<std::int8_t>(code);
          else
            output.codes_unsigned(o, begin + i) = static_cast<std::uint8_t>(code);
          const double error = std::abs(weight - retort::quantize::restored(code, group));
          squares += error * error;
          largest_error = std::max(largest_error, error);
          largest_weight = std::max(largest_weight, std::abs(weight));
        }
      }
    return {{"mean_squared_error", squares / std::max(1.0, static_cast<double>(rows) * static_cast<double>(columns))},
            {"relative_max_error", largest_weight > 0 ? largest_error / largest_weight : 0.0}};
  }

 private:
  std::int32_t bits() const { return static_cast<std::int32_t>(params_.bits); }

  retort::quantize::GroupScale scale_of(const retort::SiteModule& input, std::span<const float> weights,
                                        std::int64_t row, std::int64_t column) const {
    try {
      const retort::quantize::GroupScale group = retort::quantize::group_scale(weights, bits(), params_.symmetric);
      const bool rounds = params_.symmetric && params_.group_size > 0 && params_.scale_type == "bf16";
      return rounds ? retort::quantize::rounded_to_bf16(group) : group;
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string(input.name) + ", row " + std::to_string(row) + " from column " +
                                  std::to_string(column) + ": " + error.what());
    }
  }

  void check_group(std::string_view where, std::int64_t columns) const {
    if (params_.group_size > 0 && columns % params_.group_size != 0)
      throw std::invalid_argument(std::string(where) + ": group_size: expected a divisor of the weight's " +
                                  std::to_string(columns) + " columns, found " + std::to_string(params_.group_size) +
                                  "; use 0 for one scale a row");
  }

  void check_shapes(const retort::SiteModule& input, const retort::QuantizeOutput& output, std::int64_t width) const {
    const std::int64_t rows = input.weight.rows(), columns = input.weight.columns();
    if (rows == 0 || columns == 0) throw std::invalid_argument(std::string(input.name) + ": weight: missing or empty");
    check_group(input.name, columns);
    if (params_.symmetric)
      retort::expect_shape(output.codes, "codes (int8)", rows, columns);
    else
      retort::expect_shape(output.codes_unsigned, "codes (uint8)", rows, columns);
    retort::expect_shape(output.scales, "scales", rows, columns / width);
    if (!params_.symmetric || output.zero_points)
      retort::expect_shape(output.zero_points, "zero_points", rows, columns / width);
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN_LIST("rtn", "1.0.0", "Apache-2.0",
                   retort::component<RoundToNearest>("quantize.rtn", "1.0.0",
                                                     "round to nearest, per row or per group, 2 to 8 bits"));
