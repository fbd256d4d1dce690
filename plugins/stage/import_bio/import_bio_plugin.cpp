// ABI glue of stage.import_bio: reads the corpus and writes the dataset folder.
#include <filesystem>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <string>

#include "data/bio_corpus.h"
#include "host/base/json.h"
#include "task/dataset.h"

namespace {

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
    retort::data::ImportedCorpus corpus = retort::data::import_bio(params_.path, params_.max_rejected_share);
    const std::size_t labelled = retort::data::hide_labels(corpus.train, params_.labelled_share, context.seed());
    const std::filesystem::path folder = context.output_folder();
    retort::host::write_json(folder / "tools.json", task::tools_to_json(corpus.tools));
    task::write_split(folder / "train.jsonl", corpus.train);
    task::write_split(folder / "validation.jsonl", corpus.validation);
    task::write_split(folder / "test.jsonl", corpus.test);
    task::write_rejected(folder / "rejected.jsonl", corpus.rejected);
    context.fact("tools", std::to_string(corpus.tools.size()));
    context.fact("train", std::to_string(corpus.train.size()));
    if (params_.labelled_share < 1) context.fact("train_labelled", std::to_string(labelled));
    context.fact("validation", std::to_string(corpus.validation.size()));
    context.fact("test", std::to_string(corpus.test.size()));
    context.fact("rejected", std::to_string(corpus.rejected.size()));
    say(corpus);
    if (corpus.test_without_tool > 0) context.fact("test_without_tool", std::to_string(corpus.test_without_tool));
    context.fact("test_utterances_in_train", std::to_string(corpus.test_utterances_in_train));
  }

 private:
  static void say(const retort::data::ImportedCorpus& corpus) {
    task::RowTally tally;
    for (std::size_t i = corpus.train.size() + corpus.validation.size() + corpus.test.size(); i > 0; --i) tally.keep();
    for (const task::RejectedRow& row : corpus.rejected) tally.reject(row.reason);
    const std::string text = tally.summary("stage.import_bio");
    if (tally.rejected() > 0)
      retort::log_warning(text + "; rejected.jsonl has them");
    else
      retort::log_info(text);
    if (corpus.test_without_tool > 0)
      retort::log_warning("stage.import_bio: " + std::to_string(corpus.test_without_tool) + " of " +
                          std::to_string(corpus.test.size()) +
                          " test rows call what training has not: they will count as wrong");
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(ImportBioStage, "stage.import_bio", "1.1.0",
              "an intent and slot corpus in BIO notation, as function calls");
