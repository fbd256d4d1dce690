// What the quantizers of this folder have in common towards the SDK: the parameters that say how codes are stored, and
// the way codes take into the host's tensors.
#pragma once

#include <cstdint>
#include <retort/parameters.hpp>
#include <retort/quantizer.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "code_grid.h"
#include "shared_channels.h"

namespace retort::quantize {

struct StorageParameters {
  std::int64_t bits = 8;
  bool symmetric = true;
  std::int64_t group_size = 0;
  std::string scale_type = "bf16";
  std::string range = "absolute_max";
  std::int64_t search_steps = 0;
  std::vector<std::string> overrides;
};

/// The schema that a component's own parameters are added to; `P` derives from StorageParameters.
template <typename P>
ParameterSet<P> storage_schema() {
  ParameterSet<P> schema;
  schema.integer("bits", &P::bits)
      .at_least(2)
      .at_most(8)
      .unit("bit")
      .doc("bits of a code")
      .boolean("symmetric", &P::symmetric)
      .doc("zero points are all 0 and the range is that of the largest magnitude; false: range of minimum to maximum")
      .integer("group_size", &P::group_size)
      .at_least(0)
      .unit("column")
      .doc("input columns that share a scale, a divisor of the weight's columns; 0: one scale a row")
      .string("scale_type", &P::scale_type)
      .one_of({"bf16", "f32"})
      .doc(
          "what groups' scales are rounded to before codes are chosen; bf16 is what most engines write and takes half "
          "the memory; one scale a row stays f32")
      .string("range", &P::range)
      .one_of({"absolute_max", "half_step", "full"})
      .doc(
          "symmetric scale of b bits: max|w|/(2^(b-1)-1); max|w|/(2^(b-1)-1/2), as compressed-tensors; or signed and "
          "over all codes, -w*/2^(b-1) with w* the weight of the largest magnitude, as ggml's Q4_0 (negative scales)")
      .integer("search_steps", &P::search_steps)
      .at_least(0)
      .at_most(1000)
      .doc(
          "scales tried on either side of the range's own, .25 to 1.75 times its inverse, each with the least-squares "
          "scale of its codes; the least squared error stays. 0: no search; 100: AutoRound's grid")
      .strings("overrides", &P::overrides)
      .doc(
          "\"PATTERN=BITS\" or \"PATTERN=BITS/GROUP\" for sites whose name contains PATTERN, the last that fits: "
          "\"mlp.down=8\". Without a group, 8 bits have one symmetric scale a row, whatever the others have, and fewer "
          "keep "
          "group_size; 0 bits leave the site in floating point");
  return schema;
}

/// The parameters, parsed. Throws std::invalid_argument for an override that cannot be read, naming it.
class Storage {
 public:
  explicit Storage(const StorageParameters& parameters);
  /// What the parameters say; a group size that does not divide the site's columns is the host's to settle.
  QuantizeScheme scheme(const Site& site) const;
  CodeGrid grid(const QuantizeScheme& scheme) const;

 private:
  struct Override {
    std::string pattern;
    std::int32_t bits;
    std::int64_t group_size;
  };
  StorageParameters parameters_;
  std::vector<Override> overrides_;
};

/// Checks the shapes of one module's tensors and that its weights are finite, then takes rows, from any thread, each
/// once. Throws std::invalid_argument, naming the module.
class CodeWriter {
 public:
  CodeWriter(const SiteModule& module, const CodeGrid& grid, const QuantizeOutput& output);
  void write(std::int64_t row, const CodedRow& coded);
  std::span<const float> weights(std::int64_t row) const;
  /// mean_squared_error of the weights; relative_max_error: the largest error over the largest weight.
  Metrics metrics() const;

 private:
  const SiteModule& module_;
  const QuantizeOutput& output_;
  bool symmetric_;
  std::vector<double> squares_, largest_error_, largest_weight_;  ///< of every row, so that sums have one order
};

/// Rounds one module to nearest. `importance` [I] of columns in a search of scales; empty: the same for all.
Metrics round_module(const SiteModule& module, const CodeGrid& grid, const QuantizeOutput& output,
                     std::span<const float> importance = {});

/// A table that is looked up has no input that calibration could see: a row at a time is read, as if by a diagonal
/// Hessian of ones.
bool reads_single_rows(const Site& site);

/// Query heads of one kv head where v produces the site's input, else none. Throws std::invalid_argument where the
/// columns are no whole kv heads.
SharedChannels shared_channels(const Site& site);

/// mean x² of every column; nothing for a table that is looked up. Throws std::invalid_argument, naming the site, where
/// the statistics are missing or not finite.
std::vector<float> input_importance(const Site& site);

}  // namespace retort::quantize
