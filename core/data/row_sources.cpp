// Which reader, which files; JSON rows of one object each.
#include "data/row_sources.h"

#include <algorithm>
#include <map>
#include <stdexcept>
#include <utility>

#include "data/source_lines.h"
#include "host/base/json_cursor.h"
#include "task/row_file.h"

namespace retort::data {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

const std::vector<std::pair<std::string, SourceFormat>>& formats() {
  static const std::vector<std::pair<std::string, SourceFormat>> all = {
      {"openai", SourceFormat::openai}, {"sharegpt", SourceFormat::sharegpt}, {"alpaca", SourceFormat::alpaca},
      {"xlam", SourceFormat::xlam},     {"csv", SourceFormat::csv},           {"tsv", SourceFormat::tsv},
      {"bio", SourceFormat::bio},       {"clinc", SourceFormat::clinc},       {"sgd", SourceFormat::sgd},
      {"otel", SourceFormat::otel}};
  return all;
}

using Convert = json (*)(const json&);

json as_it_is(const json& row) {
  return row;
}

Convert converter_of(SourceFormat format) {
  if (format == SourceFormat::sharegpt) return &from_sharegpt;
  if (format == SourceFormat::alpaca) return &from_alpaca;
  if (format == SourceFormat::xlam) return &from_xlam;
  return &as_it_is;
}

bool about_a_model(const json& attributes) {
  const json operation = attributes.value("gen_ai.operation.name", json());
  return operation == "chat" || operation == "generate_content" || operation == "text_completion" ||
         attributes.contains("gen_ai.input.messages") || attributes.contains("llm.request.type");
}

/// Rows as the only member of an object, as APIs and hubs hand them out: {"data": [{…}, …]}.
const json* wrapped(const json& value) {
  if (!value.is_object() || value.size() != 1 || !value.begin()->is_array()) return nullptr;
  for (const char* name : {"data", "rows", "examples", "items"})
    if (value.contains(name)) return &value[name];
  return nullptr;
}

/// One JSON value of a file: a row, or a document of spans.
class JsonRows {
 public:
  JsonRows(SourceFormat format, const TakeSourceRow& take, const CountPassedOver& passed_over)
      : format_(format), take_(take), passed_over_(passed_over) {}

  void value(const SourcePlace& place, const std::string& text, const json& value) const {
    if (const json* rows = format_ == SourceFormat::otel ? nullptr : wrapped(value)) {
      for (const json& row : *rows) this->value(place, row.dump(-1, ' ', false, json::error_handler_t::replace), row);
      return;
    }
    if (format_ != SourceFormat::otel) return take_(place, text, [&] { return converter_of(format_)(value); });
    std::vector<json> records;
    try {
      records = gen_ai_records(value);
    } catch (const std::invalid_argument& error) {
      return refuse(place, text, error.what());
    }
    for (const json& record : records) {
      if (!about_a_model(record)) {
        passed_over_("spans and records that are not about a model");
        continue;
      }
      const std::string shown = record.dump(-1, ' ', false, json::error_handler_t::replace);
      take_(place, shown, [&] { return from_gen_ai(record); });
    }
  }
  void refuse(const SourcePlace& place, const std::string& text, const std::string& why) const {
    take_(place, text, [&]() -> json { throw std::invalid_argument(why); });
  }
  void line(const SourcePlace& place, const std::string& text) const {
    json row;
    try {
      row = task::parse_row(text);
    } catch (const std::invalid_argument& error) {
      return refuse(place, text, error.what());
    }
    value(place, text, row);
  }

 private:
  SourceFormat format_;
  const TakeSourceRow& take_;
  const CountPassedOver& passed_over_;
};

/// Whether the first object of a file goes on behind its first line. One that was cut short does not: the next begins.
bool objects_over_lines(const fs::path& file) {
  SourceLines lines(file);
  std::string first, second;
  return lines.next_filled(first) && first.find('{') != std::string::npos && !ends_with_its_object(first) &&
         lines.next_filled(second) && !second.starts_with('{');
}

/// A file whose first sign is "[" holds rows as its elements, else objects over several lines, or one a line.
void read_json_file(const fs::path& file, const std::string& split, const JsonRows& rows) {
  SourceLines lines(file);
  SourcePlace place{split, file.filename().string(), 0};
  const bool list = lines.first_sign() == '[', objects = !list && objects_over_lines(file);
  std::string text;
  while (list ? lines.next_element(text) : objects ? lines.next_object(text) : lines.next_filled(text)) {
    place.line = list || objects ? place.line + 1 : lines.line();
    rows.line(place, text);
  }
}

}  // namespace

SourceFormat source_format(const std::string& name) {
  std::string listed;
  for (const auto& [one, format] : formats()) {
    if (one == name) return format;
    listed += (listed.empty() ? "" : ", ") + one;
  }
  throw std::invalid_argument("format: expected one of " + listed + ", found \"" + name + "\"");
}

const std::vector<std::string>& source_format_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const auto& [name, format] : formats()) list.push_back(name);
    return list;
  }();
  return names;
}

std::string split_named(const std::string& name) {
  static const std::map<std::string, std::string> known = {
      {"train", "train"},      {"training", "train"}, {"validation", "validation"},
      {"valid", "validation"}, {"val", "validation"}, {"dev", "validation"},
      {"test", "test"},        {"testing", "test"}};
  const auto found = known.find(name);
  return found == known.end() ? "train" : found->second;
}

std::vector<std::pair<fs::path, std::string>> source_files(const fs::path& path,
                                                           const std::vector<std::string>& endings) {
  if (!fs::exists(path))
    throw std::invalid_argument("'" + path.string() + "': expected a file or a folder, found nothing");
  const auto stem = [&](const fs::path& file) {
    std::string name = file.filename().string();
    if (name.ends_with(".gz")) name.erase(name.size() - 3);
    for (const std::string& ending : endings)
      if (name.ends_with(ending)) return name.substr(0, name.size() - ending.size());
    return std::string();
  };
  std::vector<std::pair<fs::path, std::string>> files;
  if (!fs::is_directory(path)) return {{path, split_named(stem(path))}};
  for (const fs::directory_entry& entry : fs::directory_iterator(path))
    if (const std::string name = stem(entry.path()); !name.empty() && name != "tools" && name != "rejected")
      files.emplace_back(entry.path(), split_named(name));
  if (files.empty()) {
    std::string listed;
    for (const std::string& ending : endings) listed += (listed.empty() ? "" : " or ") + ending;
    throw std::invalid_argument("'" + path.string() + "': expected files that end in " + listed + ", found none");
  }
  const auto rank = [](const std::string& split) { return split == "train" ? 0 : split == "validation" ? 1 : 2; };
  std::sort(files.begin(), files.end(), [&](const auto& a, const auto& b) {
    return std::pair(rank(a.second), a.first) < std::pair(rank(b.second), b.first);
  });
  return files;
}

void read_json_rows(const SourceOptions& options, const TakeSourceRow& take, const CountPassedOver& passed_over) {
  const JsonRows rows(options.format, take, passed_over);
  for (const auto& [file, split] : source_files(options.path, {".jsonl", ".json", ".ndjson"}))
    read_json_file(file, split, rows);
}

void for_each_source_row(const SourceOptions& options, const TakeSourceRow& take, const CountPassedOver& passed_over) {
  switch (options.format) {
    case SourceFormat::openai:
    case SourceFormat::sharegpt:
    case SourceFormat::alpaca:
    case SourceFormat::xlam:
    case SourceFormat::otel:
      return read_json_rows(options, take, passed_over);
    case SourceFormat::csv:
    case SourceFormat::tsv:
      return read_table(options, take);
    case SourceFormat::bio:
      return read_bio_rows(options, take);
    case SourceFormat::clinc:
      return read_clinc(options, take);
    case SourceFormat::sgd:
      return read_sgd(options, take);
  }
}

}  // namespace retort::data
