// metrics.jsonl: {"stage", "name", "step", "value"} a line, one line per (stage, name, step) however often a stage was
// killed and resumed.
//
// Each attempt to make an artifact has its own file, metrics/<stage>-<key12>.jsonl, which survives with the artifact;
// the run's metrics.jsonl is those of its stages, one after another.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "host/base/json.h"

namespace retort::host {

/// One metrics file. [one thread]
class MetricsLog {
 public:
  /// Takes over the lines that `file` has (a torn last line is dropped), or begins it anew when `resume` is false.
  MetricsLog(std::filesystem::path file, std::string stage, bool resume);
  ~MetricsLog();
  MetricsLog(const MetricsLog&) = delete;
  MetricsLog& operator=(const MetricsLog&) = delete;

  /// Appends a line; a (name, step) that is there already takes the new value. Never throws: what could not be written
  /// now is written by finish().
  void record(const std::string& name, std::int64_t step, double value) noexcept;
  /// Makes the file hold exactly the lines recorded, durably. Throws std::runtime_error naming the file.
  void finish();

 private:
  struct Entry {
    std::string name;
    std::int64_t step;
    double value;
  };
  std::string line(const Entry& entry) const;
  bool append(const std::string& text) noexcept;
  void load();

  std::filesystem::path file_;
  std::string stage_;
  std::vector<Entry> entries_;
  std::map<std::pair<std::string, std::int64_t>, std::size_t> index_;
  int descriptor_ = -1;
  bool dirty_ = false;  ///< the file differs from entries_
  bool torn_ = false;   ///< the file may end inside a line
};

/// All whole lines of a metrics file; lines that are not metrics are left out. Empty when there is no such file.
std::vector<Json> read_metrics(const std::filesystem::path& file);

/// Writes `target` as the concatenation of `sources` (those that exist).
void join_metrics(const std::vector<std::filesystem::path>& sources, const std::filesystem::path& target);

}  // namespace retort::host
