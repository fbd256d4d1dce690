// ABI glue of stage.import_chat: imports, and says what became of the rows; its check reads them before a run.
#include <retort/abi/environment.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <string>
#include <vector>

#include "host/algorithm/environment_call.h"
#include "import_chat.h"

namespace {

namespace stages = retort::stages;
using stages::SplitName;

class ImportChatStage final : public retort::Stage {
 public:
  struct Params {
    std::string path;
    double validation_share = 0.1;
    double test_share = 0.1;
    double max_rejected_share = 0.01;
    std::int64_t seed = 0;
  };
  static auto schema() {
    return retort::params<Params>()
        .string("path", &Params::path)
        .existing_path()
        .required()
        .doc(
            "a JSONL file of OpenAI chat rows, or a folder with train.jsonl and maybe validation.jsonl and test.jsonl; "
            "tools.json beside them, or \"tools\" in every row")
        .number("validation_share", &Params::validation_share)
        .at_least(0)
        .at_most(0.5)
        .doc("of the rows of train that become validation where that has no file; 0 = none")
        .number("test_share", &Params::test_share)
        .at_least(0)
        .at_most(0.5)
        .doc("of the rows of train that become test where that has no file; 0 = none")
        .number("max_rejected_share", &Params::max_rejected_share)
        .at_least(0)
        .at_most(1)
        .doc("the run stops when a larger share of a file's rows is bad; bad rows go to rejected.jsonl")
        .integer("seed", &Params::seed)
        .at_least(0)
        .doc("of the choice of splits; 0 takes the stage's own seed");
  }
  explicit ImportChatStage(const Params& params) : params_(params) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape =
        retort::StageShape("dataset").slot("environment", RETORT_ENVIRONMENT_INTERFACE,
                                           "whose tools are the rows', in place of tools.json", RETORT_SLOT_OPTIONAL);
    return shape;
  }

  /// Reads the first rows, or all where RETORT_CHECK_DATA is set (`retort check --data`). A line that begins with
  /// "note: " is no mistake.
  std::vector<std::string> check(const retort::StageContext& context) override {
    constexpr std::int64_t first_rows = 200;
    stages::ImportChatOptions options;
    try {
      options = options_of(context);
    } catch (const std::exception& error) {
      return {"environment: " + std::string(error.what())};
    }
    const bool all = std::getenv("RETORT_CHECK_DATA") != nullptr;
    if (!all) options.first_rows = first_rows;
    try {
      const stages::ImportedChat found = stages::import_chat(options);
      std::vector<std::string> lines;
      if (all)
        for (const std::string& line : lines_of(found)) lines.push_back("note: " + line);
      return lines;
    } catch (const std::exception& error) {
      return {"path: " + std::string(error.what())};
    }
  }

  void run(const retort::StageContext& context) override {
    stages::ImportChatOptions options = options_of(context);
    options.output = context.output_folder();
    options.progress = [&](std::int64_t rows) {
      retort::throw_if_stopped();
      context.progress("import", rows, 0, "rows");
    };
    const stages::ImportedChat found = stages::import_chat(options);
    const bool odd = found.tally().rejected() > 0 || found.impossible_test > 0;
    for (const std::string& line : lines_of(found)) {
      if (odd)
        retort::log_warning("stage.import_chat: " + line);
      else
        retort::log_info("stage.import_chat: " + line);
    }
    record(context, found);
  }

 private:
  stages::ImportChatOptions options_of(const retort::StageContext& context) const {
    stages::ImportChatOptions options;
    options.path = params_.path;
    options.shares = {params_.validation_share, params_.test_share};
    options.seed = params_.seed == 0 ? context.seed() : static_cast<std::uint64_t>(params_.seed);
    options.max_rejected_share = params_.max_rejected_share;
    if (const auto slot = context.slot("environment")) {
      const retort::host::EnvironmentCall environment(std::string(slot->id()), slot->instance(),
                                                      slot->functions<retort_environment_v1>());
      options.tools = std::make_shared<const std::vector<retort::task::Tool>>(
          retort::task::tools_from_json(environment.tools(), "environment: tools"));
    }
    return options;
  }

  static std::int64_t count(const std::map<SplitName, std::int64_t>& rows, SplitName split) {
    const auto found = rows.find(split);
    return found == rows.end() ? 0 : found->second;
  }

  static std::vector<std::string> lines_of(const stages::ImportedChat& found) {
    std::vector<std::string> lines;
    for (const auto& [file, tally] : found.files) lines.push_back(tally.summary(file));
    lines.push_back(std::to_string(found.tools) + " tools; train " +
                    std::to_string(count(found.rows, SplitName::train)) + " rows (" +
                    std::to_string(count(found.unlabelled, SplitName::train)) + " unlabelled), validation " +
                    std::to_string(count(found.rows, SplitName::validation)) + ", test " +
                    std::to_string(count(found.rows, SplitName::test)));
    if (found.impossible_test > 0)
      lines.push_back(std::to_string(found.impossible_test) +
                      " rows of test have calls that no tool allows: they will count as wrong");
    if (found.held_out_in_train > 0)
      lines.push_back(std::to_string(found.held_out_in_train) +
                      " rows of validation and test have words that stand in train as well");
    for (const auto& [tool, times] : found.other_definitions)
      lines.push_back("tool " + tool + " is defined in another way in " + std::to_string(times) +
                      " rows; tools.json has the first, rows keep their own");
    return lines;
  }

  static void record(const retort::StageContext& context, const stages::ImportedChat& found) {
    context.fact("tools", std::to_string(found.tools));
    context.fact("train", std::to_string(count(found.rows, SplitName::train)));
    context.fact("validation", std::to_string(count(found.rows, SplitName::validation)));
    context.fact("test", std::to_string(count(found.rows, SplitName::test)));
    context.fact("unlabelled", std::to_string(count(found.unlabelled, SplitName::train)));
    const retort::task::RowTally all = found.tally();
    context.fact("rejected", std::to_string(all.rejected()));
    const nlohmann::json notes = all.notes().to_json();
    context.fact("conversions", notes["conversions"].dump());
    context.fact("losses", notes["losses"].dump());
    if (found.impossible_test > 0) context.fact("impossible_test", std::to_string(found.impossible_test));
    if (found.held_out_in_train > 0) context.fact("held_out_in_train", std::to_string(found.held_out_in_train));
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(ImportChatStage, "stage.import_chat", "1.0.0",
              "chat rows in JSONL, with tools beside them or in every row, as a dataset");
