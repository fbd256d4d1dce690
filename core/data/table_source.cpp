// CSV (RFC 4180, or with semicolons, as spreadsheets write it where the comma is decimal) and tab-separated tables: a
// column of utterances, a column of tools, and a column for each argument.
#include <algorithm>
#include <cctype>
#include <deque>
#include <optional>
#include <stdexcept>

#include "data/row_sources.h"
#include "data/source_lines.h"
#include "host/base/json_cursor.h"
#include "host/base/utf8.h"

namespace retort::data {
namespace {

using nlohmann::json;

constexpr std::size_t longest_record = std::size_t{1} << 20U;

/// Cells of one record; nothing where a quote is still open.
std::optional<std::vector<std::string>> csv_cells(const std::string& text, char separator) {
  std::vector<std::string> cells(1);
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted && c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
      cells.back() += c;
      ++i;
    } else if (c == '"' && (quoted || cells.back().empty())) {
      quoted = !quoted;
    } else if (c == separator && !quoted) {
      cells.emplace_back();
    } else {
      cells.back() += c;
    }
  }
  if (quoted) return std::nullopt;
  return cells;
}

std::vector<std::string> tsv_cells(const std::string& text) {
  std::vector<std::string> cells;
  std::size_t begin = 0;
  for (std::size_t tab = text.find('\t'); tab != std::string::npos; tab = text.find('\t', begin)) {
    cells.push_back(text.substr(begin, tab - begin));
    begin = tab + 1;
  }
  cells.push_back(text.substr(begin));
  return cells;
}

/// Records of a table: in CSV a quoted cell may hold line ends.
class Records {
 public:
  Records(const std::filesystem::path& file, bool csv) : lines_(file), csv_(csv) {}
  struct Record {
    std::int64_t line = 0;
    std::string text;
    std::optional<std::vector<std::string>> cells;  ///< nothing: its quote is never closed
  };
  /// False at the end. A quote that nothing closes costs its own line, and no other.
  bool next(Record& record) {
    do {
      if (!pull(0)) return false;
      record.line = pending_.front().first;
      record.text = pending_.front().second;
      if (record.text.find_first_not_of(" \t") == std::string::npos) pending_.pop_front();
    } while (record.text.find_first_not_of(" \t") == std::string::npos);
    if (separator_ == 0)  // the names of the columns say which
      separator_ = record.text.find(',') == std::string::npos && record.text.find(';') != std::string::npos ? ';' : ',';
    record.cells = csv_ ? csv_cells(record.text, separator_) : tsv_cells(record.text);
    std::size_t used = 1;
    std::string longer = record.text;
    while (!record.cells && longer.size() < longest_record && pull(used)) {
      longer += "\n" + pending_[used++].second;
      record.cells = csv_cells(longer, separator_);
    }
    if (record.cells)
      record.text = longer;
    else
      used = 1;
    pending_.erase(pending_.begin(), pending_.begin() + static_cast<std::ptrdiff_t>(used));
    return true;
  }

 private:
  /// Whether there is a line of that number behind the last record.
  bool pull(std::size_t number) {
    std::string text;
    while (pending_.size() <= number) {
      if (!lines_.next(text)) return false;
      pending_.emplace_back(lines_.line(), text);
    }
    return true;
  }
  SourceLines lines_;
  bool csv_;
  char separator_ = 0;  ///< of CSV; 0: not known yet
  std::deque<std::pair<std::int64_t, std::string>> pending_;
};

/// What the columns of a table are.
struct Columns {
  std::size_t text = 0;
  std::optional<std::size_t> tool, calls, answer, split;
  std::vector<std::string> names;
};

std::optional<std::size_t> column_of(const std::vector<std::string>& names, const std::vector<std::string>& wanted) {
  for (const std::string& one : wanted)
    for (std::size_t i = 0; i < names.size(); ++i) {
      std::string lower = names[i];
      std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
      if (lower == one || names[i] == one) return i;
    }
  return std::nullopt;
}

Columns columns_of(const SourceOptions& options, const std::string& file, const std::vector<std::string>& names) {
  const auto chosen = [&](const std::string& given, const std::vector<std::string>& usual) {
    return column_of(names, given.empty() ? usual : std::vector<std::string>{given});
  };
  std::string found;
  for (const std::string& name : names) found += (found.empty() ? "\"" : ", \"") + name + "\"";
  const auto text =
      chosen(options.text_column, {"utterance", "text", "query", "question", "input", "prompt", "sentence", "user"});
  if (!text)
    throw std::invalid_argument("'" + file + "': expected a first line with the column " +
                                (options.text_column.empty() ? "utterance, text, query or another of --text-column"
                                                             : "\"" + options.text_column + "\"") +
                                ", found " + found);
  Columns columns;
  columns.text = *text;
  columns.tool = chosen(options.tool_column, {"tool", "function", "intent", "label", "category"});
  if (!options.tool_column.empty() && !columns.tool)
    throw std::invalid_argument("'" + file + "': expected the column \"" + options.tool_column + "\", found " + found);
  columns.calls = column_of(names, {"calls", "tool_calls"});
  columns.answer = column_of(names, {"answer", "output", "response", "completion"});
  columns.split = column_of(names, {"split"});
  columns.names = names;
  return columns;
}

/// A cell as the argument's schema asks: numbers, truth values, JSON of lists and objects; text where it says nothing.
json value_of(const std::string& cell, const json& schema) {
  const json type = schema.is_object() ? schema.value("type", json()) : json();
  if (type != "integer" && type != "number" && type != "boolean" && type != "array" && type != "object") return cell;
  const json value = json::parse(cell, nullptr, false);
  return value.is_discarded() ? json(cell) : value;
}

json row_of_cells(const SourceOptions& options, const Columns& columns, const std::vector<std::string>& cells) {
  if (cells.size() != columns.names.size())
    throw std::invalid_argument("row: expected " + std::to_string(columns.names.size()) + " cells, found " +
                                std::to_string(cells.size()));
  json answer = {{"role", "assistant"}, {"content", columns.answer ? cells[*columns.answer] : ""}};
  const std::string tool = columns.tool ? cells[*columns.tool] : "";
  const bool calls = columns.calls && !cells[*columns.calls].empty();
  if (calls) {
    const json given = host::parse_strict_json(cells[*columns.calls]);
    answer["tool_calls"] = json::array();
    for (const task::Call& call : task::calls_from_json(given.is_array() ? given : json::array({given}), "row: calls"))
      answer["tool_calls"].push_back(
          {{"type", "function"}, {"function", {{"name", call.name}, {"arguments", call.arguments}}}});
    if (answer["tool_calls"].empty()) answer.erase("tool_calls");
  } else if (!tool.empty() && tool != "none" && tool != "no_call" && tool != "oos") {
    const auto known = std::find_if(options.tools.begin(), options.tools.end(),
                                    [&](const task::Tool& one) { return one.name == tool; });
    json arguments = json::object();
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i == columns.text || i == columns.tool || i == columns.calls || i == columns.answer || i == columns.split ||
          cells[i].empty())
        continue;
      const json properties =
          known == options.tools.end() ? json::object() : known->parameters.value("properties", json::object());
      arguments[columns.names[i]] = value_of(cells[i], properties.value(columns.names[i], json()));
    }
    answer["tool_calls"] = {{{"type", "function"}, {"function", {{"name", tool}, {"arguments", arguments}}}}};
  }
  json messages = json::array({{{"role", "user"}, {"content", cells[columns.text]}}});
  const bool labelled = columns.tool || columns.calls || columns.answer;
  if (labelled) messages.push_back(answer);
  return {{"messages", messages}};
}

}  // namespace

void read_table(const SourceOptions& options, const TakeSourceRow& take) {
  const bool csv = options.format == SourceFormat::csv;
  for (const auto& [file, split] : source_files(options.path, {csv ? ".csv" : ".tsv", ".txt"})) {
    Records records(file, csv);
    Records::Record record;
    if (!records.next(record) || !record.cells)
      throw std::invalid_argument("'" + file.string() + "': expected a first line with the names of the columns");
    const Columns columns = columns_of(options, file.string(), *record.cells);
    SourcePlace place{split, file.filename().string(), 0};
    while (records.next(record)) {
      place.line = record.line;
      place.split = columns.split && record.cells && record.cells->size() == columns.names.size()
                        ? split_named((*record.cells)[*columns.split])
                        : split;
      take(place, record.text, [&]() -> json {
        if (!record.cells) throw std::invalid_argument("row: expected a quote that is closed, found none within 1 MiB");
        if (host::replace_invalid_utf8(record.text) != record.text)
          throw std::invalid_argument("row: expected UTF-8, found other bytes; convert the file to UTF-8");
        return row_of_cells(options, columns, *record.cells);
      });
    }
  }
}

}  // namespace retort::data
