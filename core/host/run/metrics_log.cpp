#include "host/run/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <limits>
#include <stdexcept>

#include "host/base/files.h"
#include "host/base/foreign_json.h"

namespace retort::host {

std::vector<Json> read_metrics(const std::filesystem::path& file) {
  std::vector<Json> metrics;
  if (!std::filesystem::exists(file)) return metrics;
  const std::string text = read_file(file);
  for (std::size_t begin = 0, end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const std::optional<Json> line = try_parse_json(std::string_view(text).substr(begin, end - begin));
    if (!line) continue;
    const Json& json = *line;
    if (json.is_object() && json.value("name", Json()).is_string() && json.value("step", Json()).is_number_integer() &&
        json.value("stage", Json()).is_string() && json.contains("value"))
      metrics.push_back(json);
  }
  return metrics;
}

void join_metrics(const std::vector<std::filesystem::path>& sources, const std::filesystem::path& target) {
  std::string text;
  for (const auto& source : sources)
    for (const Json& metric : read_metrics(source)) text += metric.dump() + "\n";
  write_file_atomically(target, text);
}

MetricsLog::MetricsLog(std::filesystem::path file, std::string stage, bool resume)
    : file_(std::move(file)), stage_(std::move(stage)) {
  if (resume) load();
  dirty_ = true;
  finish();  // a fresh or repaired file to append to
}

MetricsLog::~MetricsLog() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MetricsLog::load() {
  for (const Json& metric : read_metrics(file_)) {
    const Json& value = metric["value"];
    Entry entry{metric["name"], metric["step"],
                value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN()};
    if (index_.emplace(std::pair(entry.name, entry.step), entries_.size()).second) entries_.push_back(std::move(entry));
  }
}

std::string MetricsLog::line(const Entry& entry) const {
  const Json json = {{"stage", stage_}, {"name", entry.name}, {"step", entry.step}, {"value", entry.value}};
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool MetricsLog::append(const std::string& text) noexcept {
  try {
    write_all(descriptor_, text.data(), text.size());
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

void MetricsLog::record(const std::string& name, std::int64_t step, double value) noexcept {
  const auto [place, is_new] = index_.emplace(std::pair(name, step), entries_.size());
  if (is_new) {
    entries_.push_back({name, step, value});
    // After a failed append the file may end inside a line, so nothing may follow it until it is rewritten.
    if (!torn_ && !append(line(entries_.back()))) torn_ = true;
    if (torn_) dirty_ = true;
  } else if (Entry& known = entries_[place->second]; known.value != value) {
    known.value = value;
    dirty_ = true;
  }
}

void MetricsLog::finish() {
  if (!dirty_) return;
  std::string text;
  for (const Entry& entry : entries_) text += line(entry);
  write_file_atomically(file_, text);
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = ::open(file_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) throw std::runtime_error("cannot append to '" + file_.string() + "'");
  dirty_ = torn_ = false;
}

}  // namespace retort::host
