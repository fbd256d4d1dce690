// Rows as other programs keep them, read one by one and turned into chat rows (task/chat_row.h). What each format is:
// data/README.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "task/call.h"

namespace retort::data {

enum class SourceFormat { openai, sharegpt, alpaca, xlam, csv, tsv, bio, clinc, sgd, otel };

/// By name: "openai", …. Throws std::invalid_argument for another.
SourceFormat source_format(const std::string& name);
const std::vector<std::string>& source_format_names();

/// Where a row stands.
struct SourcePlace {
  std::string split;      ///< which it goes to
  std::string file;       ///< its name
  std::int64_t line = 0;  ///< 1-based; of a file that is one JSON text the row's number
};

/// Takes a row: `text` as it stands there, `convert` gives it as a chat row, or throws std::invalid_argument where it
/// is none. May throw to stop.
using TakeSourceRow = std::function<void(const SourcePlace& place, const std::string& text,
                                         const std::function<nlohmann::json()>& convert)>;
/// Counts what is no row and no fault either, such as spans that are not about a model.
using CountPassedOver = std::function<void(const std::string& what)>;

struct SourceOptions {
  std::filesystem::path path;
  SourceFormat format = SourceFormat::openai;
  std::string text_column, tool_column;  ///< of tables; empty: by their usual names
  std::vector<task::Tool> tools;         ///< given by the user; cells of tables are read as their schemas ask
  bool shared_tools = false;             ///< rows lose tools of their own, which are joined by their names
  std::int64_t first_rows = 0;           ///< so many of each split at most; 0: all
};

/// All rows, in the order of splits and lines. Throws std::runtime_error for files that cannot be read, and
/// std::invalid_argument where the path holds nothing of the format.
void for_each_source_row(const SourceOptions& options, const TakeSourceRow& take, const CountPassedOver& passed_over);

// The readers behind it, each for its formats.
void read_json_rows(const SourceOptions& options, const TakeSourceRow& take, const CountPassedOver& passed_over);
void read_table(const SourceOptions& options, const TakeSourceRow& take);
void read_bio_rows(const SourceOptions& options, const TakeSourceRow& take);
void read_clinc(const SourceOptions& options, const TakeSourceRow& take);
void read_sgd(const SourceOptions& options, const TakeSourceRow& take);

/// One chat row of each. Throws std::invalid_argument: pointer, expected, found.
nlohmann::json from_sharegpt(const nlohmann::json& row);
nlohmann::json from_alpaca(const nlohmann::json& row);
nlohmann::json from_xlam(const nlohmann::json& row);
/// Of the attributes of a span or log record, by OpenTelemetry's semantic conventions for generative AI.
nlohmann::json from_gen_ai(const nlohmann::json& attributes);
/// The attributes of every span and log record in an OTLP document, or of a span alone; values as plain JSON, with
/// "trace_id" and "span_id" beside them.
std::vector<nlohmann::json> gen_ai_records(const nlohmann::json& document);

/// Files of the path with one of the endings (".jsonl", with or without ".gz" behind it), each with its split's name;
/// the usual splits first. Throws std::invalid_argument where there are none.
std::vector<std::pair<std::filesystem::path, std::string>> source_files(const std::filesystem::path& path,
                                                                        const std::vector<std::string>& endings);
/// "valid", "dev" and "val" are validation, a file of another name than a split's is train.
std::string split_named(const std::string& name);

}  // namespace retort::data
