#include "exchange/weight_source.h"

#include <algorithm>

namespace retort::exchange {

Extent extent_of(const std::vector<std::int64_t>& shape) {
  Extent extent{shape.at(0), 1};
  for (std::size_t i = 1; i < shape.size(); ++i) extent.columns *= shape[i];
  return extent;
}

std::optional<CodedRow> WeightSource::read_codes(const std::string&, std::int64_t) const {
  return std::nullopt;
}

void for_each_piece(Extent extent, std::int64_t granularity,
                    const std::function<void(std::int64_t first, std::int64_t rows)>& piece) {
  constexpr std::int64_t elements = std::int64_t{1} << 20;
  const std::int64_t unit = extent.columns * granularity;
  const std::int64_t rows = std::max<std::int64_t>(1, elements / unit) * granularity;
  for (std::int64_t first = 0; first < extent.rows; first += rows) piece(first, std::min(rows, extent.rows - first));
}

}  // namespace retort::exchange
