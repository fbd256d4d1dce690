// ABI glue of stage.import_bio: reads the corpus and writes the dataset folder.
#include <cstdint>
#include <filesystem>
#include <functional>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <string>

#include "data/bio_corpus.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "task/dataset.h"
#include "task/example_file.h"

namespace {

namespace data = retort::data;
namespace fs = std::filesystem;
namespace task = retort::task;

class ImportBioStage final : public retort::Stage {
 public:
  struct Params {
    std::string path;
    double max_rejected_share = 0.01;
    double labelled_share = 1;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("path", &Params::path)
        .existing_path()
        .required()
        .doc("folder with train, valid and test, each with seq.in, seq.out and label")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("the run stops when a larger share of the rows is bad")
        .number("labelled_share", &Params::labelled_share)
        .at_least(0)
        .at_most(1)
        .doc(
            "share of the training rows, drawn evenly, that keep their calls; the others are passed on as utterances "
            "alone, for a teacher to answer");
  }
  explicit ImportBioStage(const Params& params) : params_(params) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape("dataset");
    return shape;
  }

  void run(const retort::StageContext& context) override {
    const data::BioReport report = write(context);
    retort::host::write_json(fs::path(context.output_folder()) / "tools.json", task::tools_to_json(report.tools));
    context.fact("tools", std::to_string(report.tools.size()));
    for (const auto& [split, rows] : report.splits) context.fact(split, std::to_string(rows));
    if (params_.labelled_share < 1) context.fact("train_labelled", std::to_string(report.labelled));
    context.fact("rejected", std::to_string(report.tally.rejected()));
    if (report.test_without_tool > 0) context.fact("test_without_tool", std::to_string(report.test_without_tool));
    context.fact("test_utterances_in_train", std::to_string(report.test_utterances_in_train));
    say(report);
  }

 private:
  /// The splits and rejected.jsonl, row by row.
  data::BioReport write(const retort::StageContext& context) const {
    data::BioReport report;
    const fs::path folder = context.output_folder();
    with_lines(folder / "train.jsonl", [&](task::LineWriter& train) {
      with_lines(folder / "validation.jsonl", [&](task::LineWriter& validation) {
        with_lines(folder / "test.jsonl", [&](task::LineWriter& test) {
          with_lines(folder / "rejected.jsonl", [&](task::LineWriter& rejected) {
            std::int64_t rows = 0;
            const auto count = [&] {
              if (++rows % 1024 == 0) context.progress("import", rows, -1, "rows");
            };
            const data::BioRows to{
                [&](const std::string& split, const task::Example& example) {
                  count();
                  task::LineWriter& lines = split == "train" ? train : split == "validation" ? validation : test;
                  lines.add(task::to_line(task::to_row(example)));
                },
                [&](const task::RejectedRow& row) {
                  count();
                  rejected.add(task::to_line(row));
                }};
            report = data::import_bio(params_.path,
                                      {params_.max_rejected_share, params_.labelled_share, context.seed()}, to);
          });
        });
      });
    });
    return report;
  }
  static void with_lines(const fs::path& file, const std::function<void(task::LineWriter&)>& write) {
    retort::host::write_file_atomically(file, [&](int descriptor) {
      task::LineWriter lines(descriptor);
      write(lines);
      lines.flush();
    });
  }

  static void say(const data::BioReport& report) {
    const std::string text = report.tally.summary("stage.import_bio");
    if (report.tally.rejected() > 0)
      retort::log_warning(text + "; rejected.jsonl has them");
    else
      retort::log_info(text);
    if (report.test_without_tool > 0)
      retort::log_warning("stage.import_bio: " + std::to_string(report.test_without_tool) + " of " +
                          std::to_string(report.splits.at("test")) +
                          " test rows call what training has not: they will count as wrong");
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(ImportBioStage, "stage.import_bio", "1.1.0",
              "an intent and slot corpus in BIO notation, as function calls");
