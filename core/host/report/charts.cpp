#include "host/report/charts.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "host/base/number_format.h"
#include "host/report/report.h"

namespace retort::host {
namespace {

std::string px(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f", value);
  return text;
}

std::string svg_text(double x, double y, const std::string& anchor, const std::string& css, const std::string& text) {
  return "<text x=\"" + px(x) + "\" y=\"" + px(y) + "\" text-anchor=\"" + anchor + "\" class=\"" + css + "\">" +
         escape_html(text) + "</text>";
}

std::string svg_line(double x1, double y1, double x2, double y2, const std::string& css) {
  return "<line x1=\"" + px(x1) + "\" y1=\"" + px(y1) + "\" x2=\"" + px(x2) + "\" y2=\"" + px(y2) + "\" class=\"" +
         css + "\"/>";
}

std::string open_svg(double width, double height, const std::string& title) {
  return "<svg viewBox=\"0 0 " + px(width) + " " + px(height) + "\" role=\"img\" aria-label=\"" + escape_html(title) +
         "\">";
}

/// Maps [low, high] to pixels [from, to].
struct Scale {
  double low, high, from, to;
  double operator()(double value) const {
    return high > low ? from + (value - low) / (high - low) * (to - from) : (from + to) / 2;
  }
};

/// "1 MB" for a tick, where a table says "1.00 MB".
std::string tick_bytes(double bytes) {
  std::string text = format_bytes(bytes);
  if (text.find('.') == std::string::npos) return text;
  const std::size_t space = text.find(' ');
  const std::size_t last = text.find_last_not_of("0", space - 1);
  const std::size_t end = text[last] == '.' ? last : last + 1;
  return text.substr(0, end) + text.substr(space);
}

/// Something written around (x, y), as wide as twice `reach`.
struct Place {
  double x, y, reach;
};

/// The height of a label for the dot at (x, y): the nearest line below or above it that nothing else takes.
double free_label(double x, double y, double top, double bottom, std::vector<Place>& taken) {
  constexpr double reach = 36, line = 13;
  double chosen = y + 20;
  for (int i = 0; i < 10; ++i) {
    const double candidate = i % 2 == 0 ? y + 20 + line * (i / 2) : y - 12 - line * (i / 2);
    const bool free = candidate > top - 6 && candidate < bottom &&
                      std::none_of(
                          taken.begin(), taken.end(),
                          [&](const Place& place) {
                            return std::abs(place.x - x) < reach + place.reach && std::abs(place.y - candidate) < line;
                          });
    if (!free) continue;
    chosen = candidate;
    break;
  }
  taken.push_back({x, chosen, reach});
  return chosen;
}

std::string color_class(std::size_t index) {
  return "s" + std::to_string(index % 6);
}

}  // namespace

std::vector<double> linear_ticks(double low, double high, int count) {
  if (!(high > low)) return {low};
  const double raw = (high - low) / std::max(1, count);
  const double power = std::pow(10.0, std::floor(std::log10(raw)));
  const double leading = raw / power;
  const double step = (leading < 1.5 ? 1 : leading < 3.5 ? 2 : leading < 7.5 ? 5 : 10) * power;
  std::vector<double> ticks;
  const auto first = static_cast<long long>(std::floor(low / step + 1e-9));
  const auto last = static_cast<long long>(std::ceil(high / step - 1e-9));
  for (long long i = first; i <= last; ++i) ticks.push_back(static_cast<double>(i) * step);
  return ticks;
}

std::vector<double> logarithmic_ticks(double low, double high) {
  std::vector<double> ticks;
  const bool narrow = high / low < 1000;
  for (double power = std::pow(10.0, std::floor(std::log10(low))); power <= high; power *= 10)
    for (const double factor : {1.0, 2.0, 5.0})
      if ((narrow || factor == 1.0) && power * factor >= low && power * factor <= high) ticks.push_back(power * factor);
  return ticks;
}

std::string accuracy_chart(const std::vector<ChartPoint>& models) {
  if (models.empty()) return "";
  constexpr double width = 520, height = 320, left = 52, right = 24, top = 18, bottom = 46;
  double least_x = models[0].x, most_x = models[0].x, least_y = 1;
  for (const ChartPoint& model : models) {
    least_x = std::min(least_x, model.x);
    most_x = std::max(most_x, model.x);
    least_y = std::min(least_y, model.y);
  }
  // Room for labels, and an axis that starts at a round share below the worst model.
  const double low_x = least_x / 1.8, high_x = most_x * 1.8;
  const std::vector<double> y_ticks = linear_ticks(std::max(0.0, least_y - 0.05 * (1 - least_y) - 0.005), 1.0, 5);
  const Scale x{std::log10(low_x), std::log10(high_x), left, width - right};
  const Scale y{y_ticks.front(), 1.0, height - bottom, top};
  std::string svg = open_svg(width, height, "Accuracy against size");
  for (const double tick : y_ticks) {
    if (tick > 1.0 + 1e-9) continue;
    svg += svg_line(left, y(tick), width - right, y(tick), "grid");
    svg += svg_text(left - 8, y(tick) + 4, "end", "label", format_number(tick * 100) + "%");
  }
  for (const double tick : logarithmic_ticks(low_x, high_x)) {
    svg += svg_line(x(std::log10(tick)), height - bottom, x(std::log10(tick)), height - bottom + 5, "axis");
    svg += svg_text(x(std::log10(tick)), height - bottom + 19, "middle", "label", tick_bytes(tick));
  }
  svg += svg_line(left, height - bottom, width - right, height - bottom, "axis");
  svg += svg_text((left + width - right) / 2, height - 6, "middle", "title", "bytes of weights (logarithmic)");
  std::vector<Place> taken;
  for (const ChartPoint& model : models) taken.push_back({x(std::log10(model.x)), y(model.y) + 4, 20});
  for (std::size_t i = 0; i < models.size(); ++i) {
    const double at_x = x(std::log10(models[i].x)), at_y = y(models[i].y);
    svg += "<circle cx=\"" + px(at_x) + "\" cy=\"" + px(at_y) + "\" r=\"6\" class=\"dot " + color_class(i) +
           "\"><title>" +
           escape_html(models[i].label + ": " + format_percent(models[i].y) + ", " + format_bytes(models[i].x)) +
           "</title></circle>";
    const double label_y = free_label(at_x, at_y, top, height - bottom, taken);
    const bool near_right = at_x > width - right - 50;
    svg += svg_text(near_right ? at_x + 8 : at_x, label_y, near_right ? "end" : "middle", "name", models[i].label);
  }
  return svg + "</svg>";
}

std::string latency_chart(const std::vector<ChartBar>& bars) {
  if (bars.empty()) return "";
  constexpr double width = 520, left = 120, right = 70, row = 34, top = 8, bottom = 46;
  const double height = top + row * static_cast<double>(bars.size()) + bottom;
  double most = 0;
  for (const ChartBar& bar : bars) most = std::max({most, bar.value, bar.whisker});
  const std::vector<double> ticks = linear_ticks(0, most, 5);
  const Scale x{0, ticks.back(), left, width - right};
  const double floor_y = height - bottom;
  std::string svg = open_svg(width, height, "Latency of one call");
  for (const double tick : ticks) {
    svg += svg_line(x(tick), top, x(tick), floor_y, "grid");
    svg += svg_text(x(tick), floor_y + 18, "middle", "label", format_number(tick));
  }
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const double y = top + row * static_cast<double>(i);
    svg += svg_text(left - 10, y + row / 2 + 4, "end", "name", bars[i].label);
    svg += "<rect x=\"" + px(left) + "\" y=\"" + px(y + 8) + "\" width=\"" +
           px(std::max(1.0, x(bars[i].value) - left)) + "\" height=\"" + px(row - 16) + "\" rx=\"3\" class=\"bar " +
           color_class(i) + "\"/>";
    const bool whisker = bars[i].whisker > bars[i].value;
    if (whisker) {
      svg += svg_line(x(bars[i].value), y + row / 2, x(bars[i].whisker), y + row / 2, "whisker");
      svg += svg_line(x(bars[i].whisker), y + 12, x(bars[i].whisker), y + row - 12, "whisker");
    }
    svg += svg_text(x(whisker ? bars[i].whisker : bars[i].value) + 8, y + row / 2 + 4, "start", "value",
                    format_ms(bars[i].value));
  }
  svg += svg_line(left, top, left, floor_y, "axis");
  svg += svg_text((left + width - right) / 2, height - 6, "middle", "title",
                  "milliseconds: median, line to the 90th percentile");
  return svg + "</svg>";
}

namespace {

/// At most two points a pixel column.
std::vector<std::pair<double, double>> thinned(const std::vector<std::pair<double, double>>& points,
                                               std::size_t columns) {
  if (points.size() <= 2 * columns) return points;
  std::vector<std::pair<double, double>> kept;
  for (std::size_t column = 0; column < columns; ++column) {
    const auto begin = points.begin() + static_cast<std::ptrdiff_t>(column * points.size() / columns);
    const auto end = points.begin() + static_cast<std::ptrdiff_t>((column + 1) * points.size() / columns);
    auto [least, most] =
        std::minmax_element(begin, end, [](const auto& a, const auto& b) { return a.second < b.second; });
    if (most < least) std::swap(least, most);
    kept.push_back(*least);
    if (most != least) kept.push_back(*most);
  }
  return kept;
}

}  // namespace

std::string curve_chart(const std::vector<std::pair<double, double>>& points, const std::string& name) {
  if (points.size() < 2) return "";
  constexpr double width = 340, height = 170, left = 52, right = 18, top = 10, bottom = 26;
  double low = points[0].second, high = low;
  for (const auto& [step, value] : points) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  if (low == high) {
    const double margin = low == 0 ? 1 : std::abs(low) * 0.1;
    low -= margin;
    high += margin;
  }
  const std::vector<double> y_ticks = linear_ticks(low, high, 4);
  const Scale x{points.front().first, points.back().first, left, width - right};
  const Scale y{y_ticks.front(), y_ticks.back(), height - bottom, top};
  std::string svg = open_svg(width, height, name + " over steps");
  for (const double tick : y_ticks) {
    svg += svg_line(left, y(tick), width - right, y(tick), "grid");
    const bool long_number = std::abs(tick) >= 1e4;  // "1.2e+04" is wider than the margin
    svg += svg_text(left - 6, y(tick) + 4, "end", "label", long_number ? format_count(tick) : format_number(tick));
  }
  for (const double tick : linear_ticks(points.front().first, points.back().first, 4))
    if (tick >= points.front().first && tick <= points.back().first)
      svg += svg_text(x(tick), height - bottom + 17, "middle", "label", format_count(tick));
  svg += svg_line(left, height - bottom, width - right, height - bottom, "axis");
  svg += "<polyline class=\"curve\" points=\"";
  for (const auto& [step, value] : thinned(points, static_cast<std::size_t>(width - left - right)))
    svg += px(x(step)) + "," + px(y(value)) + " ";
  return svg + "\"/></svg>";
}

}  // namespace retort::host
