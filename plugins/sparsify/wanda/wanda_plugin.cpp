// sparsify.wanda: parameters, statistics and masks around wanda.h.
#include <retort/plugin.hpp>
#include <retort/sparsifier.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "pattern_parameters.h"
#include "wanda.h"

namespace {

using retort::sparsify::Pattern;

class Wanda : public retort::Sparsifier {
 public:
  struct Params {
    double fraction = .5;
    std::string pattern;
    std::int64_t samples = 4096;
  };
  static auto schema() {
    return retort::sparsify::pattern_schema<Params>(
               "share of every output row's weights that become 0, rounded down to whole weights; not read with a "
               "pattern")
        .integer("samples", &Params::samples)
        .at_least(1)
        .unit("token")
        .doc("calibration rows");
  }

  explicit Wanda(const Params& params)
      : params_(params), pattern_(retort::sparsify::parse_pattern(params.pattern, params.fraction)) {}

  retort::SparsifyRequirements requirements() const override {
    return {RETORT_SIGNAL_INPUT_SQUARE_SUM, params_.samples};
  }

  retort::Metrics sparsify(const retort::Site& site, std::size_t index, const retort::SparsifyOutput& output) override {
    const retort::SiteModule& module = site.modules.at(index);
    const std::int64_t rows = module.weight.rows(), columns = module.weight.columns();
    double zeros = 0;
    try {
      if (rows == 0 || columns == 0) throw std::invalid_argument("weight: missing or empty");
      retort::expect_shape(site.statistics.square_sum, "square_sum", columns);
      retort::expect_shape(output.mask, "mask", rows, columns);
      retort::expect_shape(output.weight, "weight", rows, columns);
      std::vector<float> squares;  // the view may have a stride
      for (std::int64_t j = 0; j < columns; ++j) squares.push_back(site.statistics.square_sum[j]);
      const auto size = static_cast<std::size_t>(columns);
      for (std::int64_t o = 0; o < rows; ++o) {
        if (o % 256 == 0) retort::throw_if_stopped();
        retort::sparsify::wanda_mask({module.weight.row(o), size}, squares, pattern_, {output.mask.row(o), size});
        for (std::int64_t j = 0; j < columns; ++j) {
          output.weight(o, j) = module.weight(o, j);
          zeros += output.mask(o, j) == 0 ? 1 : 0;
        }
      }
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string(module.name) + ": " + error.what());
    }
    return {{"removed", zeros / (static_cast<double>(rows) * static_cast<double>(columns))}};
  }

 private:
  Params params_;
  Pattern pattern_;
};

}  // namespace

RETORT_PLUGIN_LIST("wanda", "1.0.0", "Apache-2.0",
                   retort::component<Wanda>("sparsify.wanda", "1.0.0",
                                            "sets the weights with the least |w| times input norm to zero (Wanda)"));
