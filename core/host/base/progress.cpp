#include "host/base/progress.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace retort::host {
namespace {

constexpr int bar_cells = 24;
constexpr auto redraw_interval = std::chrono::milliseconds(100);

std::string format_rate(double rate) {
  char text[32];
  std::snprintf(text, sizeof text, rate >= 100 ? "%.0f" : rate >= 10 ? "%.1f" : "%.2f", rate);
  return text;
}

}  // namespace

std::string format_duration(double seconds) {
  const auto whole = static_cast<long long>(std::max(0.0, std::round(seconds)));
  char text[48];
  if (whole >= 3600)
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", whole / 3600, whole / 60 % 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%lld:%02lld", whole / 60, whole % 60);
  return text;
}

std::string format_progress(const std::string& label, std::int64_t done, std::int64_t total, const std::string& unit,
                            double rate, bool with_bar) {
  std::string text = label;
  if (total > 0) {
    const double share = std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0);
    const int filled = static_cast<int>(share * bar_cells);
    if (with_bar) {
      text += " [";
      for (int i = 0; i < bar_cells; ++i) text += i < filled ? "#" : "·";
      text += "]";
    }
    text += " " + std::to_string(static_cast<int>(share * 100)) + "%  " + std::to_string(done) + "/" +
            std::to_string(total) + " " + unit;
  } else {
    text += "  " + std::to_string(done) + " " + unit;
  }
  if (rate <= 0) return text;
  text += "  " + format_rate(rate) + " " + unit + "/s";
  if (total > done) text += "  " + format_duration(static_cast<double>(total - done) / rate) + " left";
  return text;
}

void Progress::begin(const std::string& label, std::int64_t done, Clock::time_point now) {
  label_ = label;
  first_done_ = done;
  started_ = now;
  drawn_ = terminal_.interactive() ? Clock::time_point{} : now;
  finished_ = false;
}

void Progress::update(const std::string& label, std::int64_t done, std::int64_t total, const std::string& unit,
                      Clock::time_point now) {
  if (quiet_) return;
  if (label != label_ || done < first_done_) begin(label, done, now);
  const bool last = total > 0 && done >= total;
  const Clock::duration interval = terminal_.interactive() ? redraw_interval : plain_interval_;
  if (finished_ || (!last && now - drawn_ < interval)) return;
  drawn_ = now;
  finished_ = last;
  const double seconds = std::chrono::duration<double>(now - started_).count();
  const double rate = seconds > 0 ? static_cast<double>(done - first_done_) / seconds : 0;
  const std::string text = format_progress(label, done, total, unit, rate, terminal_.interactive());
  if (terminal_.interactive())
    terminal_.bar(text);
  else
    terminal_.line(text);
}

void Progress::clear() {
  if (!quiet_) terminal_.bar("");
}

}  // namespace retort::host
