// ABI glue of stage.import_data: `retort data import` as a stage.
#include <cstdint>
#include <filesystem>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <stdexcept>
#include <string>

#include "data/data_import.h"
#include "data/data_rows.h"
#include "host/base/json.h"
#include "task/dataset.h"

namespace {

namespace data = retort::data;
namespace fs = std::filesystem;

class ImportDataStage final : public retort::Stage {
 public:
  struct Params {
    std::string path, format, tools, text_column, tool_column;
    bool shared_tools = false;
    double max_rejected_share = 0.01;
    std::int64_t first_rows = 0;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("path", &Params::path)
        .existing_path()
        .required()
        .doc("file or folder of rows as another program keeps them, plain or gzipped")
        .string("format", &Params::format)
        .one_of({"openai", "sharegpt", "alpaca", "xlam", "csv", "tsv", "bio", "clinc", "sgd", "otel"})
        .required()
        .doc("what the rows are")
        .string("tools", &Params::tools)
        .existing_path()
        .doc("tools.json for rows without tools of their own; without it they follow from the calls")
        .string("text_column", &Params::text_column)
        .doc("of a table: what people say; empty: utterance, text, query or another usual name")
        .string("tool_column", &Params::tool_column)
        .doc("of a table: the tool; empty: tool, function, intent or another usual name")
        .boolean("shared_tools", &Params::shared_tools)
        .doc("rows lose tools of their own, which are joined by their names: for models of fixed tools")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("the run stops when a larger share of the rows is bad")
        .integer("first_rows", &Params::first_rows)
        .at_least(0)
        .unit("rows")
        .doc("read so many of each split at most; 0: all");
  }
  explicit ImportDataStage(const Params& params) : params_(params) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape("dataset");
    return shape;
  }

  void run(const retort::StageContext& context) override {
    const fs::path part = fs::path(context.work_folder()) / "rows";
    for (const char* ending : {"", ".part"}) fs::remove_all(part.string() + ending);  // of a run that was killed
    const data::ImportReport report = data::import_rows(source(), part, [&](std::int64_t rows) {
      retort::throw_if_stopped();
      context.progress("import", rows, -1, "rows");
    });
    say(report);
    if (static_cast<double>(report.unusable) > params_.max_rejected_share * static_cast<double>(report.read))
      throw std::runtime_error(
          "'" + params_.path + "': " + std::to_string(report.unusable) + " of " + std::to_string(report.read) +
          " rows cannot be used, more than max_rejected_share allows; the first: " + first_rejected(part));
    for (const fs::directory_entry& entry : fs::directory_iterator(part))
      fs::rename(entry.path(), fs::path(context.output_folder()) / entry.path().filename());
    fs::remove(part);
    context.fact("tools", std::to_string(report.tools));
    for (const auto& [split, rows] : report.splits) context.fact(split, std::to_string(rows));
    context.fact("rejected", std::to_string(report.unusable));
    if (report.impossible_test > 0) context.fact("test_without_tool", std::to_string(report.impossible_test));
  }

 private:
  data::SourceOptions source() const {
    data::SourceOptions source;
    source.path = params_.path;
    source.format = data::source_format(params_.format);
    source.text_column = params_.text_column;
    source.tool_column = params_.tool_column;
    source.shared_tools = params_.shared_tools;
    source.first_rows = params_.first_rows;
    if (!params_.tools.empty()) source.tools = retort::task::read_tools(params_.tools);
    return source;
  }
  static std::string first_rejected(const fs::path& folder) {
    std::string reason;
    data::for_each_rejected(folder / "rejected.jsonl", [&](data::DataRow& row) {
      if (reason.empty()) reason = row.split + ", line " + std::to_string(row.line) + ": " + row.reason;
    });
    return reason;
  }
  static void say(const data::ImportReport& report) {
    std::string text = "stage.import_data: " + std::to_string(report.kept) + " rows kept, " +
                       std::to_string(report.unusable) + " rejected, " + std::to_string(report.tools) + " tools";
    if (report.derived) text += " found in the calls";
    for (const auto& [what, times] : report.passed_over) text += "; passed over: " + std::to_string(times) + " " + what;
    if (!report.notes.conversions.empty())
      text += "; converted: " + retort::task::ReadingNotes::listed(report.notes.conversions);
    if (!report.notes.losses.empty()) text += "; left out: " + retort::task::ReadingNotes::listed(report.notes.losses);
    if (report.impossible_test > 0)
      text +=
          "; " + std::to_string(report.impossible_test) + " rows of test call what no tool allows: they count as wrong";
    if (report.unusable > 0 || report.impossible_test > 0)
      retort::log_warning(text);
    else
      retort::log_info(text);
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(ImportDataStage, "stage.import_data", "1.0.0",
              "rows of other programs: tables, ShareGPT, Alpaca, CLINC150, SGD, traces of OpenTelemetry");
