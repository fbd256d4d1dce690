// sparsify.magnitude: parameters and tensors around magnitude.h.
#include <retort/plugin.hpp>
#include <retort/sparsifier.hpp>
#include <stdexcept>
#include <string>
#include <vector>

#include "magnitude.h"
#include "pattern_parameters.h"

namespace {

using retort::sparsify::Scope;

class Magnitude : public retort::Sparsifier {
 public:
  struct Params {
    double fraction = .5;
    std::string pattern;
    std::string scope = "row";
  };
  static auto schema() {
    return retort::sparsify::pattern_schema<Params>(
               "share of the weights that become 0, rounded down to whole weights; not read with a pattern")
        .string("scope", &Params::scope)
        .one_of({"row", "matrix"})
        .doc("whether every output row loses the same share, or the least of the whole matrix go");
  }

  explicit Magnitude(const Params& params)
      : scope_(params.scope == "matrix" ? Scope::matrix : Scope::row),
        pattern_(retort::sparsify::parse_pattern(params.pattern, params.fraction)) {
    if (scope_ == Scope::matrix && pattern_.of > 0)
      throw std::invalid_argument("pattern: expected \"\" with scope \"matrix\", found \"" + params.pattern +
                                  "\", which holds in every row");
  }

  retort::Metrics sparsify(const retort::Site& site, std::size_t index, const retort::SparsifyOutput& output) override {
    const retort::SiteModule& module = site.modules.at(index);
    const std::int64_t rows = module.weight.rows(), columns = module.weight.columns();
    std::vector<float> weights;  // the views may have strides
    std::vector<std::uint8_t> mask;
    double zeros = 0;
    try {
      if (rows == 0 || columns == 0) throw std::invalid_argument("weight: missing or empty");
      retort::expect_shape(output.mask, "mask", rows, columns);
      retort::expect_shape(output.weight, "weight", rows, columns);
      for (std::int64_t o = 0; o < rows; ++o)
        for (std::int64_t j = 0; j < columns; ++j) weights.push_back(module.weight(o, j));
      mask.resize(weights.size());
      retort::throw_if_stopped();
      retort::sparsify::magnitude_mask(weights, columns, scope_, pattern_, mask);
    } catch (const std::invalid_argument& error) {
      throw std::invalid_argument(std::string(module.name) + ": " + error.what());
    }
    for (std::int64_t o = 0; o < rows; ++o)
      for (std::int64_t j = 0; j < columns; ++j) {
        const auto at = static_cast<std::size_t>(o * columns + j);
        output.weight(o, j) = weights[at];
        output.mask(o, j) = mask[at];
        zeros += mask[at] == 0 ? 1 : 0;
      }
    return {{"removed", zeros / static_cast<double>(weights.size())}};
  }

 private:
  Scope scope_;
  retort::sparsify::Pattern pattern_;
};

}  // namespace

RETORT_PLUGIN_LIST("magnitude", "1.0.0", "Apache-2.0",
                   retort::component<Magnitude>("sparsify.magnitude", "1.0.0",
                                                "sets the weights with the least |w| to zero, without any data"));
