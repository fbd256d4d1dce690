// ABI glue of stage.generate: asks the environment and writes the dataset folder.
#include <retort/abi/environment.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <retort/plugin.hpp>
#include <retort/stage.hpp>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "generate.h"
#include "host/algorithm/environment_call.h"
#include "host/base/files.h"
#include "host/base/json.h"
#include "task/dataset.h"
#include "task/example_file.h"

namespace {

namespace stages = retort::stages;
namespace task = retort::task;

class GenerateStage final : public retort::Stage {
 public:
  struct Params {
    std::int64_t train = 15000;
    std::int64_t validation = 500;
    std::int64_t test = 2000;
    std::int64_t seed = 0;
    bool label_train = false;
  };
  static auto schema() {
    return retort::params<Params>()
        .integer("train", &Params::train)
        .at_least(1)
        .unit("utterances")
        .doc("utterances to train on; to be labelled later unless label_train is true")
        .integer("validation", &Params::validation)
        .at_least(0)
        .unit("utterances")
        .doc("labelled with the gold calls")
        .integer("test", &Params::test)
        .at_least(0)
        .unit("utterances")
        .doc("labelled; from templates that only it uses")
        .integer("seed", &Params::seed)
        .at_least(0)
        .doc("of the utterances; 0 takes the stage's own seed")
        .boolean("label_train", &Params::label_train)
        .doc(
            "train rows keep the calls that the environment meant, for teacher.recorded or for training without a "
            "teacher");
  }
  explicit GenerateStage(const Params& params) : params_(params) {}

  static const retort::StageShape& shape() {
    static const retort::StageShape shape = retort::StageShape("dataset").slot(
        "environment", RETORT_ENVIRONMENT_INTERFACE, "the world that names tools and asks for things");
    return shape;
  }

  std::vector<std::string> check(const retort::StageContext& context) override {
    const retort::host::EnvironmentCall environment = environment_of(context);
    std::vector<std::string> findings;
    if (!environment.can_generate()) findings.push_back("environment: makes no rows; this stage asks for them");
    try {
      task::tools_from_json(environment.tools(), "environment: tools");
    } catch (const std::invalid_argument& error) {
      findings.emplace_back(error.what());
    }
    return findings;
  }

  void run(const retort::StageContext& context) override {
    const retort::host::EnvironmentCall environment = environment_of(context);
    const std::uint64_t seed = params_.seed == 0 ? context.seed() : static_cast<std::uint64_t>(params_.seed);
    const auto tools = environment.tools();
    task::tools_from_json(tools, "environment: tools");
    retort::host::write_json(std::filesystem::path(context.output_folder()) / "tools.json", tools);
    stages::SplitsApart apart;
    const auto train_labels = params_.label_train ? stages::Labels::kept : stages::Labels::removed;
    write(context, environment, {"train", params_.train, train_labels}, seed, apart);
    write(context, environment, {"validation", params_.validation, stages::Labels::kept}, seed, apart);
    write(context, environment, {"test", params_.test, stages::Labels::kept}, seed, apart);
  }

 private:
  static retort::host::EnvironmentCall environment_of(const retort::StageContext& context) {
    const retort::BoundComponent component = context.slot("environment").value();
    return {std::string(component.id()), component.instance(), component.functions<retort_environment_v1>()};
  }

  struct SplitWanted {
    std::string name;
    std::int64_t count;
    stages::Labels labels;
  };

  /// Row by row as they come; one that comes before its turn waits.
  static void write(const retort::StageContext& context, const retort::host::EnvironmentCall& environment,
                    const SplitWanted& split, std::uint64_t seed, stages::SplitsApart& apart) {
    retort::throw_if_stopped();
    context.progress(split.name, 0, split.count, "utterances");
    std::map<std::size_t, task::Example> early;
    std::size_t written = 0;
    const std::filesystem::path folder = context.output_folder();
    retort::host::write_file_atomically(folder / (split.name + ".jsonl"), [&](int descriptor) {
      task::LineWriter lines(descriptor);
      environment.generate(split.name, split.count, seed, [&](std::size_t index, const nlohmann::json& row) {
        early.emplace(index, stages::read_generated(split.name, index + 1, row));
        for (auto next = early.begin(); next != early.end() && next->first == written; next = early.erase(next)) {
          apart.take(split.name, ++written, next->second);
          if (split.labels == stages::Labels::removed) next->second = stages::without_labels(std::move(next->second));
          lines.add(task::to_line(task::to_row(next->second)));
        }
        context.progress(split.name, static_cast<std::int64_t>(written), split.count, "utterances");
      });
      lines.flush();
    });
    context.fact(split.name, std::to_string(written));
  }

  Params params_;
};

}  // namespace

RETORT_PLUGIN(GenerateStage, "stage.generate", "1.0.0", "utterances of an environment, as a dataset to be labelled");
