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
  const std::size_t last = text.find_last_not_of('0', space - 1);
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
    const int lines_away = i / 2;
    const double candidate = i % 2 == 0 ? y + 20 + line * lines_away : y - 12 - line * lines_away;
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

namespace {

/// The frame of a chart of shares over a logarithmic size.
struct ShareFrame {
  static constexpr double width = 520, height = 320, left = 52, right = 24, top = 18, bottom = 46;
  Scale x, y;
  double at_x(double size) const { return x(std::log10(size)); }
};

/// Room for labels, and an axis that starts at a round share below the worst.
ShareFrame share_frame(double least_x, double most_x, double least_y, double most_y = 1.0) {
  const double floor = std::max(0.0, least_y - 0.05 * (1 - least_y) - 0.005);
  const std::vector<double> ticks = linear_ticks(floor, most_y, 5);
  return {
      {std::log10(least_x / 1.8), std::log10(most_x * 1.8), ShareFrame::left, ShareFrame::width - ShareFrame::right},
      {ticks.front(), most_y, ShareFrame::height - ShareFrame::bottom, ShareFrame::top}};
}

std::string drawn(const ShareFrame& frame, const std::string& title, bool bytes) {
  const double end = ShareFrame::width - ShareFrame::right, floor = ShareFrame::height - ShareFrame::bottom;
  std::string svg;
  for (const double tick : linear_ticks(frame.y.low, frame.y.high, 5)) {
    if (tick > frame.y.high + 1e-9) continue;
    svg += svg_line(ShareFrame::left, frame.y(tick), end, frame.y(tick), "grid");
    svg += svg_text(ShareFrame::left - 8, frame.y(tick) + 4, "end", "label", format_number(tick * 100) + "%");
  }
  for (const double tick : logarithmic_ticks(std::pow(10.0, frame.x.low), std::pow(10.0, frame.x.high))) {
    svg += svg_line(frame.at_x(tick), floor, frame.at_x(tick), floor + 5, "axis");
    svg += svg_text(frame.at_x(tick), floor + 19, "middle", "label", bytes ? tick_bytes(tick) : format_number(tick));
  }
  svg += svg_line(ShareFrame::left, floor, end, floor, "axis");
  return svg + svg_text((ShareFrame::left + end) / 2, ShareFrame::height - 6, "middle", "title", title);
}

std::string dot(double x, double y, double radius, const std::string& css, const std::string& title) {
  return "<circle cx=\"" + px(x) + "\" cy=\"" + px(y) + "\" r=\"" + px(radius) + "\" class=\"dot " + css +
         "\"><title>" + escape_html(title) + "</title></circle>";
}

std::string dot_name(double x, double y, const std::string& name) {
  const bool near_right = x > ShareFrame::width - ShareFrame::right - 50;
  return svg_text(near_right ? x + 8 : x, y, near_right ? "end" : "middle", "name", name);
}

}  // namespace

std::string accuracy_chart(const std::vector<ChartPoint>& models) {
  if (models.empty()) return "";
  double least_x = models[0].x, most_x = models[0].x, least_y = 1;
  for (const ChartPoint& model : models) {
    least_x = std::min(least_x, model.x);
    most_x = std::max(most_x, model.x);
    least_y = std::min(least_y, model.y);
  }
  const ShareFrame frame = share_frame(least_x, most_x, least_y);
  std::string svg = open_svg(ShareFrame::width, ShareFrame::height, "Accuracy against size") +
                    drawn(frame, "bytes of weights (logarithmic)", true);
  std::vector<Place> taken;
  for (const ChartPoint& model : models) taken.push_back({frame.at_x(model.x), frame.y(model.y) + 4, 20});
  for (std::size_t i = 0; i < models.size(); ++i) {
    const double at_x = frame.at_x(models[i].x), at_y = frame.y(models[i].y);
    svg += dot(at_x, at_y, 6, color_class(i),
               models[i].label + ": " + format_percent(models[i].y) + ", " + format_bytes(models[i].x));
    const double label_y = free_label(at_x, at_y, ShareFrame::top, ShareFrame::height - ShareFrame::bottom, taken);
    svg += dot_name(at_x, label_y, models[i].label);
  }
  return svg + "</svg>";
}

namespace {

/// The points that none to the left is above, from left to right.
std::string front_line(const std::vector<FrontPoint>& points, const ShareFrame& frame) {
  std::vector<const FrontPoint*> sorted;
  for (const FrontPoint& point : points)
    if (point.mark != FrontPoint::Mark::reference) sorted.push_back(&point);
  std::stable_sort(sorted.begin(), sorted.end(), [](const FrontPoint* a, const FrontPoint* b) {
    return a->at.x != b->at.x ? a->at.x < b->at.x : a->at.y > b->at.y;
  });
  std::string line;
  double highest = -1;
  for (const FrontPoint* point : sorted) {
    if (!(point->at.y > highest)) continue;
    highest = point->at.y;
    line += px(frame.at_x(point->at.x)) + "," + px(frame.y(point->at.y)) + " ";
  }
  return "<polyline class=\"curve\" points=\"" + line + "\"/>";
}

}  // namespace

std::string front_chart(const std::vector<FrontPoint>& points, const FrontAxes& axes) {
  using Mark = FrontPoint::Mark;
  if (points.empty()) return "";
  double least_x = points[0].at.x, most_x = least_x, least_y = 1, most_y = 0;
  const auto cover = [&](double x, double y) {
    least_x = std::min(least_x, x);
    most_x = std::max(most_x, x);
    least_y = std::min(least_y, y);
    most_y = std::max(most_y, y);
  };
  for (const FrontPoint& point : points) cover(point.at.x, point.at.y);
  if (axes.x_limit > 0) cover(axes.x_limit, points[0].at.y);
  if (axes.y_limit > 0) cover(points[0].at.x, axes.y_limit);
  const ShareFrame frame = share_frame(least_x, most_x, least_y, std::min(1.0, most_y + 0.05 * (1.02 - least_y)));
  std::string svg = open_svg(ShareFrame::width, ShareFrame::height, "Exact match against " + axes.title) +
                    drawn(frame, axes.title + " (logarithmic)", axes.bytes) + front_line(points, frame);
  const double end = ShareFrame::width - ShareFrame::right, floor = ShareFrame::height - ShareFrame::bottom;
  if (axes.x_limit > 0)
    svg += svg_line(frame.at_x(axes.x_limit), ShareFrame::top, frame.at_x(axes.x_limit), floor, "limit");
  if (axes.y_limit > 0) svg += svg_line(ShareFrame::left, frame.y(axes.y_limit), end, frame.y(axes.y_limit), "limit");
  std::vector<Place> taken;
  for (const Mark now : {Mark::other, Mark::front, Mark::reference, Mark::best})  // the best on top
    for (const FrontPoint& point : points) {
      if (point.mark != now) continue;
      const bool named = now == Mark::best || now == Mark::reference;
      const std::string size = axes.bytes ? format_bytes(point.at.x) : format_ms(point.at.x);
      const char* css = now == Mark::best ? "s1" : now == Mark::reference ? "s2" : now == Mark::front ? "s0" : "faint";
      const double x = frame.at_x(point.at.x), y = frame.y(point.at.y);
      svg += dot(x, y,
                 named                ? 6
                 : now == Mark::front ? 4.5
                                      : 3.5,
                 css, point.at.label + ": " + format_percent(point.at.y) + ", " + size);
      if (named) svg += dot_name(x, free_label(x, y, ShareFrame::top, floor, taken), point.at.label);
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
