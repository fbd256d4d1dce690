// Charts as inline SVG that takes its colours from the page's CSS (classes axis, grid, label, s0 … s5). Returns "" when
// there is nothing to draw.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace retort::host {

struct ChartPoint {
  std::string label;
  double x, y;
};

/// Accuracy against size: y is a share in [0,1], x bytes on a logarithmic axis.
std::string accuracy_chart(const std::vector<ChartPoint>& models);

struct FrontPoint {
  enum class Mark { other, front, best, reference };
  ChartPoint at;
  Mark mark = Mark::other;
};

struct FrontAxes {
  std::string title;   ///< of x
  bool bytes = true;   ///< x is bytes, else milliseconds; logarithmic either way, above 0
  double x_limit = 0;  ///< a line that points should be left of; 0: none
  double y_limit = 0;  ///< a line that points should be above; 0: none
};

/// What a search measured: y is a share in [0,1]. A line joins those points that none to the left is above; the names
/// of the best and the reference stand beside them, all others show when pointed at.
std::string front_chart(const std::vector<FrontPoint>& points, const FrontAxes& axes);

struct ChartBar {
  std::string label;
  double value;    ///< the bar: median
  double whisker;  ///< a thin line as far as this: 90th percentile; not above value: none
};

std::string latency_chart(const std::vector<ChartBar>& bars);

/// (step, value) with finite values, ascending steps; long series are thinned to the chart's resolution (each column
/// keeps its least and greatest value, so that spikes stay visible). `name`: for those who cannot see it.
std::string curve_chart(const std::vector<std::pair<double, double>>& points, const std::string& name = "Curve");

/// Ticks at 1, 2 or 5 times a power of ten that cover [low, high] in about `count` steps.
std::vector<double> linear_ticks(double low, double high, int count);
/// Powers of ten inside [low, high], with 2 and 5 times them where there are few. low > 0.
std::vector<double> logarithmic_ticks(double low, double high);

}  // namespace retort::host
